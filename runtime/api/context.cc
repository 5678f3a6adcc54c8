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

}  // extern "C"
