// acl_rt.h: init, finalize; canopy/trace.h.
#include "runtime/api/guard.h"

#include "canopy/trace.h"
#include "runtime/observe/timeline.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

extern "C" {

aclError aclInit(const char* configPath) {
  const aclError code = guard([&] { return runtime().init(configPath); });
  return code == ACL_ERROR_RT_FILE_OPEN || code == ACL_ERROR_RT_PARAM_INVALID ? acl::remember(ACL_ERROR_INVALID_PARAM) : code;
}

aclError aclFinalize(void) {
  return guard([&] { return runtime().finalize(); });
}

aclError aclFinalizeReference(uint64_t* refCount) {
  return guard([&]() -> Result<> {
    return runtime().finalize_reference().map([&](uint64_t left) {
      if (refCount != nullptr) {
        *refCount = left;
      }
    });
  });
}

int canopy_trace_start(void) {
  return guard([]() -> Result<> { return runtime().driver().map([](Driver* driver) { start_timeline(*driver); }); }) == ACL_SUCCESS ? 0 : -1;
}

int canopy_trace_write(const char* path, int pid, const char* process_name) {
  if (path == nullptr || process_name == nullptr) {
    acl::null_argument(__func__, path == nullptr ? "path" : "process_name");
    return -1;
  }
  const aclError code = guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    return write_timeline(*driver, path, pid, process_name);
  });
  return code == ACL_SUCCESS ? 0 : -1;
}

}  // extern "C"
