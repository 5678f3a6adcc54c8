// acl_rt.h: init, finalize, their callbacks; process-wide parameters; canopy/trace.h.
#include "runtime/api/guard.h"
#include "runtime/api/init_callbacks.h"
#include "runtime/api/recent_errors.h"
#include "runtime/observe/timeline.h"

#include "canopy/trace.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::InitCallbacks;
using acl::runtime;

namespace {

// `finalize` tears down when it takes the last reference, of which the callbacks hear before.
template <class Finalize>
aclError finalize_with_callbacks(bool all_references, Finalize&& finalize) {
  aclError told = ACL_SUCCESS;
  const aclError code = guard([&]() -> Result<> {
    auto& callbacks = InitCallbacks::instance();
    std::lock_guard one_at_a_time(callbacks.mutex());
    const uint64_t references = runtime().init_count();
    const bool last = references == 1 || (all_references && references != 0);
    if (last) {
      told = callbacks.run_finalize();
    }
    auto done = finalize();
    if (last && runtime().init_count() == 0) {  // also when a callback has thrown meanwhile
      acl::share_errors_of_process(false);
    }
    return done;
  });
  return code != ACL_SUCCESS ? code : acl::remember(told);
}

}  // namespace

extern "C" {

aclError aclInit(const char* configPath) {
  aclError told = ACL_SUCCESS;
  const auto init = [&]() -> Result<> {
    auto& callbacks = InitCallbacks::instance();
    std::lock_guard one_at_a_time(callbacks.mutex());
    CANOPY_TRY(runtime().init(configPath));
    const Configuration configuration = runtime().configuration();
    acl::share_errors_of_process(configuration.errors_of_process);
    told = callbacks.run_init(configuration.text);
    if (told != ACL_SUCCESS) {
      // Undone, without finalize callbacks: not all of them have seen the init.
      acl::share_errors_of_process(false);
      return runtime().finalize();
    }
    return {};
  };
  const aclError code = guard(init, [](aclError own) -> aclError {
    return own == ACL_ERROR_RT_FILE_OPEN || own == ACL_ERROR_RT_PARAM_INVALID
               ? ACL_ERROR_INVALID_PARAM
               : own;
  });
  return code != ACL_SUCCESS ? code : acl::remember(told);
}

aclError aclFinalize(void) {
  return finalize_with_callbacks(true, [] { return runtime().finalize(); });
}

aclError aclFinalizeReference(uint64_t* refCount) {
  return finalize_with_callbacks(false, [&]() -> Result<> {
    return runtime().finalize_reference().map([&](uint64_t left) {
      if (refCount != nullptr) {
        *refCount = left;
      }
    });
  });
}

aclError aclInitCallbackRegister(aclRegisterCallbackType type, aclInitCallbackFunc cbFunc,
                                 void* userData) {
  CANOPY_ACL_NOT_NULL(cbFunc);
  aclError told = ACL_SUCCESS;
  const aclError code = guard([&]() -> Result<> {
    auto& callbacks = InitCallbacks::instance();
    std::lock_guard one_at_a_time(callbacks.mutex());
    CANOPY_TRY(callbacks.add_init(type, cbFunc, userData));
    if (runtime().init_count() == 0) {
      return {};
    }
    const std::string text = runtime().configuration().text;
    told = InitCallbacks::run_init(cbFunc, text, userData);
    return told == ACL_SUCCESS ? Result<>() : callbacks.remove_init(type, cbFunc);
  });
  return code != ACL_SUCCESS ? code : acl::remember(told);
}

aclError aclInitCallbackUnRegister(aclRegisterCallbackType type, aclInitCallbackFunc cbFunc) {
  CANOPY_ACL_NOT_NULL(cbFunc);
  return guard([&] { return InitCallbacks::instance().remove_init(type, cbFunc); });
}

aclError aclFinalizeCallbackRegister(aclRegisterCallbackType type, aclFinalizeCallbackFunc cbFunc,
                                     void* userData) {
  CANOPY_ACL_NOT_NULL(cbFunc);
  return guard([&] { return InitCallbacks::instance().add_finalize(type, cbFunc, userData); });
}

aclError aclFinalizeCallbackUnRegister(aclRegisterCallbackType type,
                                       aclFinalizeCallbackFunc cbFunc) {
  CANOPY_ACL_NOT_NULL(cbFunc);
  return guard([&] { return InitCallbacks::instance().remove_finalize(type, cbFunc); });
}

aclError aclrtSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
  return guard([&] { return runtime().system_parameters().set(opt, value); });
}

aclError aclrtGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return acl::guard_into(value, [&]() -> Result<int64_t> {
    CANOPY_ASSIGN(const auto found, runtime().system_parameters().get(opt));
    return found.value_or(0);
  });
}

int canopy_trace_start(void) {
  return guard([]() -> Result<> {
           return runtime().driver().map([](Driver* driver) { start_timeline(*driver); });
         }) == ACL_SUCCESS
             ? 0
             : -1;
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
