// acl_rt.h: random numbers.
#include "runtime/api/random_request.h"

#include "runtime/api/guard.h"

#include <algorithm>
#include <cstring>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

Result<RandomType> type_of(aclDataType type) {
  switch (type) {
    case ACL_INT32:
      return RandomType::int32;
    case ACL_INT64:
      return RandomType::int64;
    case ACL_UINT32:
      return RandomType::uint32;
    case ACL_UINT64:
      return RandomType::uint64;
    case ACL_FLOAT16:
      return RandomType::fp16;
    case ACL_BF16:
      return RandomType::bf16;
    case ACL_FLOAT:
      return RandomType::fp32;
    default:
      break;
  }
  return fail(
      Errc::invalid_argument,
      "random numbers are int32, int64, uint32, uint64, fp16, bf16 or fp32, not data type {}",
      static_cast<int>(type));
}

Result<RandomValue> value_of(const char* what, const aclrtRandomParaInfo& info) {
  if (info.isAddr > 1) {
    return fail(Errc::invalid_argument, "random numbers: isAddr of {} is {}, 0 or 1 is wanted",
                what, info.isAddr);
  }
  RandomValue value{info.isAddr == 1, info.size, 0};
  std::memcpy(&value.bits, info.valueOrAddr,
              value.is_address ? sizeof value.bits : std::min<size_t>(info.size, 8));
  return value;
}

Result<> take_both(RandomKind kind, const aclrtRandomParaInfo& first,
                   const aclrtRandomParaInfo& second, RandomRequest* into) {
  into->kind = kind;
  CANOPY_ASSIGN(into->first, value_of("the first parameter", first));
  CANOPY_ASSIGN(into->second, value_of("the second parameter", second));
  return {};
}

Result<> take_parameters(const aclrtRandomNumFuncParaInfo& info, RandomRequest* into) {
  const auto& of = info.paramInfo;
  switch (info.funcType) {
    case ACL_RT_RANDOM_NUM_FUNC_TYPE_DROPOUT_BITMASK:
      return take_both(RandomKind::dropout_mask, of.dropoutBitmaskInfo.dropoutRation, {}, into);
    case ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS:
      return take_both(RandomKind::uniform, of.uniformDisInfo.min, of.uniformDisInfo.max, into);
    case ACL_RT_RANDOM_NUM_FUNC_TYPE_NORMAL_DIS:
      return take_both(RandomKind::normal, of.normalDisInfo.mean, of.normalDisInfo.stddev, into);
    case ACL_RT_RANDOM_NUM_FUNC_TYPE_TRUNCATED_NORMAL_DIS:
      return take_both(RandomKind::truncated_normal, of.normalDisInfo.mean, of.normalDisInfo.stddev,
                       into);
  }
  return fail(Errc::invalid_argument, "random numbers: function {} is none",
              static_cast<int>(info.funcType));
}

}  // namespace

Result<RandomRequest> acl::random_request_of(const aclrtRandomNumTaskInfo& info) {
  RandomRequest request;
  CANOPY_ASSIGN(request.type, type_of(info.dataType));
  CANOPY_TRY(take_parameters(info.randomNumFuncParaInfo, &request));
  CANOPY_ASSIGN(request.seed, value_of("the seed", info.randomSeed));
  CANOPY_ASSIGN(request.count, value_of("the number of numbers", info.randomNum));
  request.result = info.randomResultAddr;
  request.counter = info.randomCounterAddr;
  return request;
}

extern "C" {

aclError aclrtRandomNumAsync(const aclrtRandomNumTaskInfo* taskInfo, const aclrtStream stream,
                             void* reserve) {
  CANOPY_ACL_NOT_NULL(taskInfo);
  if (taskInfo->randomResultAddr == nullptr) {
    return acl::null_argument(__func__, "taskInfo->randomResultAddr");
  }
  return guard([&]() -> Result<> {
    if (reserve != nullptr) {
      return fail(Errc::invalid_argument, "aclrtRandomNumAsync: reserve must be NULL");
    }
    CANOPY_ASSIGN(const RandomRequest request, acl::random_request_of(*taskInfo));
    return random_on_stream(runtime(), request, stream);
  });
}

}  // extern "C"
