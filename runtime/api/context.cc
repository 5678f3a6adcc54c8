// acl_rt.h: contexts.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

extern "C" {

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) {
  CANOPY_ACL_NOT_NULL(context);
  return guard_into(context, [&] { return runtime().create_context(deviceId); });
}

aclError aclrtDestroyContext(aclrtContext context) {
  CANOPY_ACL_NOT_NULL(context);
  return guard([&] { return runtime().destroy_context(context); });
}

aclError aclrtSetCurrentContext(aclrtContext context) {
  CANOPY_ACL_NOT_NULL(context);
  return guard([&] { return runtime().set_current_context(context); });
}

aclError aclrtGetCurrentContext(aclrtContext* context) {
  CANOPY_ACL_NOT_NULL(context);
  return guard_into(context, [] { return runtime().current_context_handle(); });
}

aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard_into(stream, []() -> Result<void*> {
    return runtime().current_context().map([](Context* context) { return context->default_stream(); });
  });
}

aclError aclrtGetPrimaryCtxState(int32_t deviceId, uint32_t* flags, int32_t* active) {
  CANOPY_ACL_NOT_NULL(active);
  return guard_into(active, [&]() -> Result<int32_t> {
    if (flags != nullptr) {
      return fail(Errc::invalid_argument, "aclrtGetPrimaryCtxState: flags must be NULL");
    }
    return runtime().primary_active(deviceId).map([](bool is_active) { return is_active ? 1 : 0; });
  });
}

aclError aclrtCtxSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Context * context, runtime().current_context());
    return context->system_parameters().set(opt, value);
  });
}

aclError aclrtCtxGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(
      value,
      [&]() -> Result<int64_t> {
        CANOPY_ASSIGN(Context * context, runtime().current_context());
        CANOPY_ASSIGN(const auto found, context->system_parameters().get(opt));
        if (!found) {
          return fail(Errc::not_found, "parameter {} was never set in the current context", static_cast<int>(opt));
        }
        return *found;
      },
      [](aclError code) -> aclError {
        return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_SYSPARAMOPT_NOT_SET : code;
      });
}

}  // extern "C"
