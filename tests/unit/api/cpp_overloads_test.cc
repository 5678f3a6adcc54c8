// acl_rt_api.h: every overload reaches the C function of its meaning, with its arguments in their
// places. The C functions are doubles here; the runtime is not linked.
#include "acl/acl_rt_api.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <type_traits>

namespace {

std::string g_call;  // "function(arguments)" of the newest call of a double

template <class T>
void put(std::ostream& out, T value) {
  if constexpr (std::is_same_v<T, aclrtMemManagedLocation>) {
    out << value.type << ":" << value.id;
  } else if constexpr (std::is_convertible_v<T, const void*>) {
    out << reinterpret_cast<uintptr_t>(static_cast<const void*>(value));
  } else {
    out << static_cast<uint64_t>(value);
  }
}

template <class... A>
aclError called(const char* function, A... arguments) {
  std::ostringstream out;
  out << function << "(";
  const char* comma = "";
  ((out << comma, put(out, arguments), comma = ", "), ...);
  out << ")";
  g_call = out.str();
  return 4711;
}

}  // namespace

#define DOUBLE(name, parameters, ...) \
  extern "C" aclError name parameters { return called(#name, __VA_ARGS__); }

DOUBLE(aclrtSynchronizeDeviceWithTimeout, (int32_t t), t)
DOUBLE(aclrtSynchronizeStreamWithTimeout, (aclrtStream s, int32_t t), s, t)
DOUBLE(aclrtSynchronizeEventWithTimeout, (aclrtEvent e, int32_t t), e, t)
DOUBLE(aclrtStreamWaitEventWithTimeout, (aclrtStream s, aclrtEvent e, int32_t t), s, e, t)
DOUBLE(aclrtCreateStreamWithConfig, (aclrtStream * s, uint32_t p, uint32_t f), s, p, f)
DOUBLE(aclrtCreateEventExWithFlag, (aclrtEvent * e, uint32_t f), e, f)
DOUBLE(aclrtSetOpExecuteTimeOutV2, (uint64_t t, uint64_t* a), t, a)
DOUBLE(aclrtMallocWithCfg, (void** p, size_t n, aclrtMemMallocPolicy y, aclrtMallocConfig* c), p, n,
       y, c)
DOUBLE(aclrtMallocHostWithCfg, (void** p, uint64_t n, aclrtMallocConfig* c), p, n, c)
DOUBLE(aclrtPointerGetAttributes, (const void* p, aclrtPtrAttributes* a), p, a)
DOUBLE(aclrtHostRegister, (void* p, uint64_t n, aclrtHostRegisterType t, void** d), p, n, t, d)
DOUBLE(aclrtHostRegisterV2, (void* p, uint64_t n, uint32_t f), p, n, f)
DOUBLE(aclrtHostGetDevicePointer, (void* p, void** d, uint32_t f), p, d, f)
DOUBLE(aclrtHostUnregister, (void* p), p)
DOUBLE(aclrtMemAllocManaged, (void** p, uint64_t n, uint32_t f), p, n, f)
DOUBLE(aclrtMemManagedPrefetchAsync,
       (const void* p, size_t n, aclrtMemManagedLocation l, uint32_t f, aclrtStream s), p, n, l, f,
       s)
DOUBLE(aclrtMemManagedPrefetchBatchAsync,
       (const void** p, size_t* n, size_t c, aclrtMemManagedLocation* l, size_t* i, size_t ln,
        uint64_t f, aclrtStream s),
       p, n, c, *l, *i, ln, f, s)
DOUBLE(aclrtMemcpy, (void* d, size_t m, const void* s, size_t n, aclrtMemcpyKind k), d, m, s, n, k)
DOUBLE(aclrtMemcpyAsync,
       (void* d, size_t m, const void* s, size_t n, aclrtMemcpyKind k, aclrtStream t), d, m, s, n,
       k, t)
DOUBLE(aclrtMemcpy2d,
       (void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, aclrtMemcpyKind k), d, dp,
       s, sp, w, h, k)
DOUBLE(aclrtMemcpy2dAsync,
       (void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, aclrtMemcpyKind k,
        aclrtStream t),
       d, dp, s, sp, w, h, k, t)
// Of the attributes only what they point to: a single one has an address of its own.
DOUBLE(aclrtMemcpyBatch,
       (void** d, size_t* m, void** s, size_t* n, size_t c, aclrtMemcpyBatchAttr* a, size_t* i,
        size_t an, size_t* f),
       d, m, s, n, c, a->dstLoc.id, *i, an, f)
DOUBLE(aclrtMemcpyBatchV2,
       (void** d, size_t* m, void** s, size_t* n, size_t c, aclrtMemcpyBatchAttr* a, size_t* i,
        size_t an),
       d, m, s, n, c, a->dstLoc.id, *i, an)
DOUBLE(aclrtMemcpyBatchAsync,
       (void** d, size_t* m, void** s, size_t* n, size_t c, aclrtMemcpyBatchAttr* a, size_t* i,
        size_t an, size_t* f, aclrtStream t),
       d, m, s, n, c, a->dstLoc.id, *i, an, f, t)
DOUBLE(aclrtMemcpyBatchAsyncV2,
       (void** d, size_t* m, void** s, size_t* n, size_t c, aclrtMemcpyBatchAttr* a, size_t* i,
        size_t an, aclrtStream t),
       d, m, s, n, c, a->dstLoc.id, *i, an, t)
DOUBLE(aclrtGetSymbolAddress, (const void* y, void** d), y, d)
DOUBLE(aclrtGetSymbolSize, (const void* y, size_t* n), y, n)
DOUBLE(aclrtMemcpyFromSymbol,
       (void* d, size_t m, const void* y, size_t n, size_t o, aclrtMemcpyKind k), d, m, y, n, o, k)
DOUBLE(aclrtMemcpyFromSymbolAsync,
       (void* d, size_t m, const void* y, size_t n, size_t o, aclrtMemcpyKind k, aclrtStream t), d,
       m, y, n, o, k, t)
DOUBLE(aclrtMemcpyToSymbol, (const void* y, const void* s, size_t n, size_t o, aclrtMemcpyKind k),
       y, s, n, o, k)
DOUBLE(aclrtMemcpyToSymbolAsync,
       (const void* y, const void* s, size_t n, size_t o, aclrtMemcpyKind k, aclrtStream t), y, s,
       n, o, k, t)

namespace {

// The overload on the left makes the call on the right.
#define FORWARDS(overload, function, ...) \
  do {                                    \
    EXPECT_EQ(overload, 4711);            \
    const std::string seen = g_call;      \
    called(#function, __VA_ARGS__);       \
    EXPECT_EQ(seen, g_call) << #overload; \
  } while (0)

class CppOverload : public testing::Test {
 protected:
  void* const handle_ = &object_;
  void* const other_ = &object_ + 1;
  float* const typed_ = &numbers_[0];
  const float* const source_ = &numbers_[1];
  aclrtMallocConfig config_ = {};
  size_t sizes_[2] = {3, 4};
  size_t first_ = 1;
  size_t failed_ = 0;
  aclrtMemcpyBatchAttr attribute_ = {
      {9, ACL_MEM_LOCATION_TYPE_DEVICE}, {8, ACL_MEM_LOCATION_TYPE_HOST}, {}};

 private:
  int object_ = 0;
  float numbers_[2] = {};
};

TEST_F(CppOverload, OfWaitsAndCreations) {
  FORWARDS(aclrtSynchronizeDevice(5), aclrtSynchronizeDeviceWithTimeout, 5);
  FORWARDS(aclrtSynchronizeStream(handle_, 5), aclrtSynchronizeStreamWithTimeout, handle_, 5);
  FORWARDS(aclrtSynchronizeEvent(handle_, 5), aclrtSynchronizeEventWithTimeout, handle_, 5);
  FORWARDS(aclrtStreamWaitEvent(handle_, other_, 5), aclrtStreamWaitEventWithTimeout, handle_,
           other_, 5);
  aclrtStream stream = nullptr;
  FORWARDS(aclrtCreateStream(&stream, 3, 2), aclrtCreateStreamWithConfig, &stream, 3, 2);
  aclrtEvent event = nullptr;
  FORWARDS(aclrtCreateEvent(&event, 8), aclrtCreateEventExWithFlag, &event, 8);
  uint64_t actual = 0;
  FORWARDS(aclrtSetOpExecuteTimeOut(uint64_t{6}, &actual), aclrtSetOpExecuteTimeOutV2, 6, &actual);
}

TEST_F(CppOverload, OfAllocations) {
  float* out = nullptr;
  FORWARDS(aclrtMalloc(&out, 64), aclrtMallocWithCfg, &out, 64, ACL_MEM_MALLOC_HUGE_FIRST, nullptr);
  FORWARDS(aclrtMalloc(&out, 64, ACL_MEM_MALLOC_NORMAL_ONLY), aclrtMallocWithCfg, &out, 64,
           ACL_MEM_MALLOC_NORMAL_ONLY, nullptr);
  FORWARDS(aclrtMalloc(&out, 64, ACL_MEM_MALLOC_HUGE_ONLY, &config_), aclrtMallocWithCfg, &out, 64,
           ACL_MEM_MALLOC_HUGE_ONLY, &config_);
  FORWARDS(aclrtMallocHost(&out, 64), aclrtMallocHostWithCfg, &out, 64, nullptr);
  FORWARDS(aclrtMallocHost(&out, 64, &config_), aclrtMallocHostWithCfg, &out, 64, &config_);
  FORWARDS(aclrtMemAllocManaged(&out, 64), aclrtMemAllocManaged, &out, 64,
           ACL_RT_MEM_ATTACH_GLOBAL);
}

TEST_F(CppOverload, OfPointersOfTheHost) {
  aclrtPtrAttributes attributes;
  float* out = nullptr;
  FORWARDS(aclrtPointerGetAttributes(source_, &attributes), aclrtPointerGetAttributes, source_,
           &attributes);
  FORWARDS(aclrtHostRegister(typed_, 64, ACL_HOST_REGISTER_READONLY, &out), aclrtHostRegister,
           typed_, 64, ACL_HOST_REGISTER_READONLY, &out);
  FORWARDS(aclrtHostRegister(typed_, 64, 2U), aclrtHostRegisterV2, typed_, 64, 2);
  FORWARDS(aclrtHostGetDevicePointer(typed_, &out, 0), aclrtHostGetDevicePointer, typed_, &out, 0);
  FORWARDS(aclrtHostUnregister(typed_), aclrtHostUnregister, typed_);
}

TEST_F(CppOverload, OfPrefetches) {
  aclrtMemManagedLocation place = {ACL_MEM_LOCATIONTYPE_DEVICE, 7};
  FORWARDS(aclrtMemManagedPrefetchAsync(typed_, 64, place, 1, handle_),
           aclrtMemManagedPrefetchAsync, typed_, 64, place, 1, handle_);
  const float* list[2] = {typed_, source_};
  FORWARDS(aclrtMemManagedPrefetchBatchAsync(list, sizes_, 2, &place, &first_, 1, 5, handle_),
           aclrtMemManagedPrefetchBatchAsync, list, sizes_, 2, place, first_, 1, 5, handle_);
  FORWARDS(aclrtMemManagedPrefetchBatchAsync(list, sizes_, 2, place, 5, handle_),
           aclrtMemManagedPrefetchBatchAsync, list, sizes_, 2, place, 0, 1, 5, handle_);
}

TEST_F(CppOverload, OfCopies) {
  constexpr auto kKind = ACL_MEMCPY_DEVICE_TO_HOST;
  FORWARDS(aclrtMemcpy(typed_, 8, source_, 4, kKind), aclrtMemcpy, typed_, 8, source_, 4, kKind);
  FORWARDS(aclrtMemcpyAsync(typed_, 8, source_, 4, kKind, handle_), aclrtMemcpyAsync, typed_, 8,
           source_, 4, kKind, handle_);
  FORWARDS(aclrtMemcpy2d(typed_, 8, source_, 7, 6, 5, kKind), aclrtMemcpy2d, typed_, 8, source_, 7,
           6, 5, kKind);
  FORWARDS(aclrtMemcpy2dAsync(typed_, 8, source_, 7, 6, 5, kKind, handle_), aclrtMemcpy2dAsync,
           typed_, 8, source_, 7, 6, 5, kKind, handle_);
}

TEST_F(CppOverload, OfBatches) {
  float* to[2] = {typed_, typed_};
  const float* from[2] = {source_, source_};
  FORWARDS(aclrtMemcpyBatch(to, sizes_, from, sizes_, 2, &attribute_, &first_, 1, &failed_),
           aclrtMemcpyBatch, to, sizes_, from, sizes_, 2, 9, 1, 1, &failed_);
  FORWARDS(aclrtMemcpyBatch(to, sizes_, from, sizes_, 2, &attribute_, &first_, 1),
           aclrtMemcpyBatchV2, to, sizes_, from, sizes_, 2, 9, 1, 1);
  FORWARDS(aclrtMemcpyBatch(to, sizes_, from, sizes_, 2, attribute_, &failed_), aclrtMemcpyBatch,
           to, sizes_, from, sizes_, 2, 9, 0, 1, &failed_);
  FORWARDS(aclrtMemcpyBatch(to, sizes_, from, sizes_, 2, attribute_), aclrtMemcpyBatchV2, to,
           sizes_, from, sizes_, 2, 9, 0, 1);
  FORWARDS(aclrtMemcpyBatchAsync(to, sizes_, from, sizes_, 2, &attribute_, &first_, 1, &failed_,
                                 handle_),
           aclrtMemcpyBatchAsync, to, sizes_, from, sizes_, 2, 9, 1, 1, &failed_, handle_);
  FORWARDS(aclrtMemcpyBatchAsync(to, sizes_, from, sizes_, 2, &attribute_, &first_, 1, handle_),
           aclrtMemcpyBatchAsyncV2, to, sizes_, from, sizes_, 2, 9, 1, 1, handle_);
  FORWARDS(aclrtMemcpyBatchAsync(to, sizes_, from, sizes_, 2, attribute_, &failed_, handle_),
           aclrtMemcpyBatchAsync, to, sizes_, from, sizes_, 2, 9, 0, 1, &failed_, handle_);
  FORWARDS(aclrtMemcpyBatchAsync(to, sizes_, from, sizes_, 2, attribute_, handle_),
           aclrtMemcpyBatchAsyncV2, to, sizes_, from, sizes_, 2, 9, 0, 1, handle_);
}

TEST_F(CppOverload, OfSymbolsTakesTheVariableItself) {
  constexpr auto kKind = ACL_MEMCPY_HOST_TO_DEVICE;
  const float symbol[4] = {};
  void* out = nullptr;
  size_t bytes = 0;
  FORWARDS(aclrtGetSymbolAddress(symbol, &out), aclrtGetSymbolAddress, &symbol, &out);
  FORWARDS(aclrtGetSymbolSize(symbol, &bytes), aclrtGetSymbolSize, &symbol, &bytes);
  FORWARDS(aclrtMemcpyFromSymbol(out, 16, symbol, 8, 4, kKind), aclrtMemcpyFromSymbol, out, 16,
           &symbol, 8, 4, kKind);
  FORWARDS(aclrtMemcpyFromSymbolAsync(out, 16, symbol, 8, 4, kKind, handle_),
           aclrtMemcpyFromSymbolAsync, out, 16, &symbol, 8, 4, kKind, handle_);
  FORWARDS(aclrtMemcpyToSymbol(symbol, source_, 8, 4, kKind), aclrtMemcpyToSymbol, &symbol, source_,
           8, 4, kKind);
  FORWARDS(aclrtMemcpyToSymbolAsync(symbol, source_, 8, 4, kKind, handle_),
           aclrtMemcpyToSymbolAsync, &symbol, source_, 8, 4, kKind, handle_);
}

}  // namespace
