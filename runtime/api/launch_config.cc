#include "runtime/api/launch_config.h"

#include "runtime/api/guard.h"

namespace canopy::acl {
namespace {

// Each kind at most once.
constexpr size_t kMostAttributes = ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING;

// Of hints and switches: taken when they are 0 or 1.
Result<> check_switch(const char* name, uint8_t value) {
  if (value > 1) {
    return fail(Errc::invalid_argument, "launch attribute {} is {}, 0 or 1 is wanted", name, value);
  }
  return {};
}

// In seconds or in microseconds, but not both.
Result<> take_limit(uint64_t us, LaunchAttributes* into) {
  if (into->limit_us) {
    return fail(Errc::invalid_argument, "launch attributes timeout and timeoutUs exclude each other");
  }
  into->limit_us = us;
  return {};
}

Result<> take(const aclrtLaunchKernelAttr& attribute, LaunchAttributes* into) {
  const aclrtLaunchKernelAttrValue& value = attribute.value;
  switch (attribute.id) {
    case ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE:
      into->together = value.schemMode == 1;
      return check_switch("schemMode", value.schemMode);
    case ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE:
      into->ub_bytes = value.dynUBufSize;
      return {};
    case ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE:
      if (value.engineType != ACL_RT_ENGINE_TYPE_AIC &&
          value.engineType != ACL_RT_ENGINE_TYPE_AIV) {
        return fail(Errc::invalid_argument, "launch attribute engineType is {}, 0 or 1 is wanted",
                    static_cast<int>(value.engineType));
      }
      into->engine = value.engineType == ACL_RT_ENGINE_TYPE_AIC ? CoreKind::cube : CoreKind::vector;
      return {};
    case ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET:
      into->first_block = value.blockDimOffset;
      return {};
    case ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH:
      return check_switch("isBlockTaskPrefetch",
                          value.isBlockTaskPrefetch);  // nothing is prefetched here
    case ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP:
      return check_switch("isDataDump",
                          value.isDataDump);  // marks what a dump takes, once one is configured
    case ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING:
      return check_switch("enableProfiling", value.enableProfiling);  // likewise
    case ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT:
      return take_limit(uint64_t{value.timeout} * 1'000'000, into);
    case ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US:
      return take_limit(uint64_t{value.timeoutUs.timeoutHigh} << 32 | value.timeoutUs.timeoutLow, into);
  }
  return fail(Errc::invalid_argument, "launch attribute {} is none",
              static_cast<int>(attribute.id));
}

}  // namespace

Result<std::optional<LaunchAttributes>> launch_attributes(const aclrtLaunchKernelCfg* cfg) {
  if (cfg == nullptr || cfg->numAttrs == 0) {
    return std::nullopt;
  }
  if (cfg->attrs == nullptr) {
    return fail(Errc::invalid_argument, "launch: {} attributes announced, none given",
                cfg->numAttrs);
  }
  CANOPY_TRY(check_count("launch", cfg->numAttrs, kMostAttributes, "attributes, one of each kind"));
  LaunchAttributes attributes;
  uint32_t seen = 0;
  for (size_t i = 0; i < cfg->numAttrs; ++i) {
    CANOPY_TRY(take(cfg->attrs[i], &attributes));
    const uint32_t bit = 1u << static_cast<uint32_t>(cfg->attrs[i].id);
    if ((seen & bit) != 0) {
      return fail(Errc::invalid_argument, "launch attribute {} is given twice",
                  static_cast<int>(cfg->attrs[i].id));
    }
    seen |= bit;
  }
  return attributes;
}

}  // namespace canopy::acl
