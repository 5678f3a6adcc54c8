// acl_rt.h: reductions of device memory.
#include "runtime/core/reduce.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

Result<ReduceKind> kind_of(aclrtReduceKind kind) {
  switch (kind) {
    case ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM:
      return ReduceKind::sum;
    case ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX:
      return ReduceKind::max;
    case ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN:
      return ReduceKind::min;
    case ACL_RT_MEMCPY_SDMA_AUTOMATIC_EQUAL:
      return ReduceKind::equal;
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtReduceKind",
              static_cast<uint32_t>(kind));
}

Result<ReduceType> type_of(aclDataType type) {
  switch (type) {
    case ACL_INT8:
      return ReduceType::int8;
    case ACL_INT16:
      return ReduceType::int16;
    case ACL_INT32:
      return ReduceType::int32;
    case ACL_UINT32:
      return ReduceType::uint32;
    case ACL_FLOAT16:
      return ReduceType::fp16;
    case ACL_FLOAT:
      return ReduceType::fp32;
    case ACL_BF16:
      return ReduceType::bf16;
    default:
      break;
  }
  return fail(Errc::not_supported,
              "reductions take int8, int16, int32, uint32, fp16, fp32 and bf16, not data type {}",
              static_cast<int>(type));
}

}  // namespace

extern "C" {

aclError aclrtReduceAsync(void* dst, const void* src, uint64_t count, aclrtReduceKind kind,
                          aclDataType type, aclrtStream stream, void* reserve) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    if (reserve != nullptr) {
      return fail(Errc::invalid_argument, "aclrtReduceAsync: reserve must be NULL");
    }
    CANOPY_ASSIGN(const ReduceKind reduce_kind, kind_of(kind));
    CANOPY_ASSIGN(const ReduceType reduce_type, type_of(type));
    return reduce_on_stream(runtime(), dst, src, count, reduce_kind, reduce_type, stream);
  });
}

}  // extern "C"
