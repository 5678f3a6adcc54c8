// acl_rt.h: copies and fills.
#include "runtime/core/copy.h"

#include "runtime/api/guard.h"
#include "runtime/core/copy_batch.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

// The direction comes from the addresses; the kind must only be one.
Result<> check_kind(aclrtMemcpyKind kind) {
  if (static_cast<uint32_t>(kind) > ACL_MEMCPY_INTER_DEVICE_TO_DEVICE) {
    return fail(Errc::invalid_argument, "copy kind {} is not one of aclrtMemcpyKind",
                static_cast<uint32_t>(kind));
  }
  return {};
}

// Copies of rows go between host and device. 0, or the code of the interface.
aclError check_kind_2d(const char* function, aclrtMemcpyKind kind) {
  if (kind == ACL_MEMCPY_HOST_TO_DEVICE || kind == ACL_MEMCPY_DEVICE_TO_HOST ||
      kind == ACL_MEMCPY_DEFAULT) {
    return ACL_SUCCESS;
  }
  (void)fail(Errc::invalid_argument,
             "{}: kind {}: host to device, device to host or default is wanted", function,
             static_cast<uint32_t>(kind));
  return acl::remember(ACL_ERROR_INVALID_PARAM);
}

}  // namespace

extern "C" {

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count,
                     aclrtMemcpyKind kind) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_now(runtime(), dst, destMax, src, count);
  });
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count,
                          aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_on_stream(runtime(), dst, destMax, src, count, stream);
  });
}

aclError aclrtMemcpyAsyncWithCondition(void* dst, size_t destMax, const void* src, size_t count,
                                       aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_on_stream(runtime(), dst, destMax, src, count, stream);
  });
}

aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                       size_t height, aclrtMemcpyKind kind) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  if (const aclError code = check_kind_2d(__func__, kind)) {
    return code;
  }
  return guard([&] { return copy_2d_now(runtime(), {dst, dpitch, src, spitch, width, height}); });
}

aclError aclrtMemcpy2dAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                            size_t height, aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  if (const aclError code = check_kind_2d(__func__, kind)) {
    return code;
  }
  return guard([&] {
    return copy_2d_on_stream(runtime(), {dst, dpitch, src, spitch, width, height}, stream);
  });
}

aclError aclrtMemcpyBatch(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                          size_t numBatches, aclrtMemcpyBatchAttr* attrs, size_t* attrsIndexes,
                          size_t numAttrs, size_t* failIndex) {
  CANOPY_ACL_NOT_NULL(dsts);
  CANOPY_ACL_NOT_NULL(destMaxs);
  CANOPY_ACL_NOT_NULL(srcs);
  CANOPY_ACL_NOT_NULL(sizes);
  CANOPY_ACL_NOT_NULL(attrs);
  CANOPY_ACL_NOT_NULL(attrsIndexes);
  CANOPY_ACL_NOT_NULL(failIndex);
  return guard([&] {
    return copy_batch_now(runtime(),
                          {dsts, destMaxs, srcs, sizes, numBatches, attrs, attrsIndexes, numAttrs},
                          failIndex);
  });
}

aclError aclrtMemcpyBatchV2(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                            size_t numBatches, aclrtMemcpyBatchAttr* attrs, size_t* attrsIndexes,
                            size_t numAttrs) {
  size_t failed = kNoItem;
  return aclrtMemcpyBatch(dsts, destMaxs, srcs, sizes, numBatches, attrs, attrsIndexes, numAttrs,
                          &failed);
}

aclError aclrtMemcpyBatchAsync(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                               size_t numBatches, aclrtMemcpyBatchAttr* attrs, size_t* attrsIndexes,
                               size_t numAttrs, size_t* failIndex, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dsts);
  CANOPY_ACL_NOT_NULL(destMaxs);
  CANOPY_ACL_NOT_NULL(srcs);
  CANOPY_ACL_NOT_NULL(sizes);
  CANOPY_ACL_NOT_NULL(attrs);
  CANOPY_ACL_NOT_NULL(attrsIndexes);
  CANOPY_ACL_NOT_NULL(failIndex);
  return guard([&] {
    return copy_batch_on_stream(
        runtime(), {dsts, destMaxs, srcs, sizes, numBatches, attrs, attrsIndexes, numAttrs},
        failIndex, stream);
  });
}

aclError aclrtMemcpyBatchAsyncV2(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                                 size_t numBatches, aclrtMemcpyBatchAttr* attrs,
                                 size_t* attrsIndexes, size_t numAttrs, aclrtStream stream) {
  size_t failed = kNoItem;
  return aclrtMemcpyBatchAsync(dsts, destMaxs, srcs, sizes, numBatches, attrs, attrsIndexes,
                               numAttrs, &failed, stream);
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return fill_now(runtime(), devPtr, maxCount, value, count); });
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count,
                          aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return fill_on_stream(runtime(), devPtr, maxCount, value, count, stream); });
}

aclError aclrtMemsetD32(void* ptr, size_t memSize, uint32_t value, size_t N) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard([&] { return fill_words_now(runtime(), ptr, memSize, value, N); });
}

aclError aclrtMemsetD32Async(void* ptr, size_t memSize, uint32_t value, size_t N,
                             aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard([&] { return fill_words_on_stream(runtime(), ptr, memSize, value, N, stream); });
}

}  // extern "C"
