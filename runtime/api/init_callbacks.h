// InitCallbacks: who wants to know of init and finalize. Libraries above the runtime register here,
// often before main; registrations outlive finalize.
//
// Thread-safe. mutex() is held over the whole of an init or finalize with its callbacks, and is
// recursive: a callback may call anything of the interface in its own thread.
#pragma once

#include "acl/acl.h"
#include "runtime/base/result.h"

#include <mutex>
#include <string>
#include <vector>

namespace canopy::acl {

class InitCallbacks {
 public:
  static InitCallbacks& instance();

  std::recursive_mutex& mutex() { return mutex_; }

  // Errc::invalid_argument: no such type; registered already under it (add), or not (remove).
  Result<> add_init(aclRegisterCallbackType type, aclInitCallbackFunc function, void* data);
  Result<> remove_init(aclRegisterCallbackType type, aclInitCallbackFunc function);
  Result<> add_finalize(aclRegisterCallbackType type, aclFinalizeCallbackFunc function, void* data);
  Result<> remove_finalize(aclRegisterCallbackType type, aclFinalizeCallbackFunc function);

  // In the order of registration, until one returns something else than 0: the result. One that throws has returned 507000.
  aclError run_init(const std::string& configuration);
  static aclError run_init(aclInitCallbackFunc function, const std::string& configuration, void* data);
  // The other way round, all of them; the first code that is not 0. From inside of one of them:
  // nothing.
  aclError run_finalize();

 private:
  template <class Function>
  struct Entry {
    aclRegisterCallbackType type;
    Function function;
    void* data;
  };
  template <class Function>
  using List = std::vector<Entry<Function>>;
  template <class Function>
  static Result<> add(List<Function>& list, aclRegisterCallbackType type, Function function,
                      void* data);
  template <class Function>
  static Result<> remove(List<Function>& list, aclRegisterCallbackType type, Function function);

  std::recursive_mutex mutex_;  // guards all below, and one init or finalize at a time
  List<aclInitCallbackFunc> init_;
  List<aclFinalizeCallbackFunc> finalize_;
  bool in_finalize_ = false;
};

}  // namespace canopy::acl
