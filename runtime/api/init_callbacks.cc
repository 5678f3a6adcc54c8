#include "runtime/api/init_callbacks.h"

#include "runtime/api/guard.h"
#include "runtime/core/named_callbacks.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace canopy::acl {
namespace {

Result<> check_type(aclRegisterCallbackType type) {
  const auto value = static_cast<uint32_t>(type);
  if (value > ACL_REG_TYPE_ACL_RETR && value != ACL_REG_TYPE_OTHER) {
    return fail(Errc::invalid_argument, "callback type {} is not one of aclRegisterCallbackType",
                value);
  }
  return {};
}

// What call() says; 507000 and a sentence if it throws.
template <class Call>
aclError answer_of(const char* of, Call&& call) {
  aclError answer = ACL_SUCCESS;
  if (const std::string deed = thrown_by([&] { answer = call(); }); !deed.empty()) {
    return code_of(fail(Errc::internal, "a callback of {} {}", of, deed).value());
  }
  return answer;
}

}  // namespace

InitCallbacks& InitCallbacks::instance() {
  // Leaked: libraries may unregister from their static destructors.
  static auto* callbacks = new InitCallbacks;
  return *callbacks;
}

template <class Function>
Result<> InitCallbacks::add(List<Function>& list, aclRegisterCallbackType type, Function function,
                            void* data) {
  CANOPY_TRY(check_type(type));
  for (const auto& entry : list) {
    if (entry.type == type && entry.function == function) {
      return fail(Errc::invalid_argument, "this callback is registered already under type {}",
                  static_cast<int>(type));
    }
  }
  list.push_back({type, function, data});
  return {};
}

template <class Function>
Result<> InitCallbacks::remove(List<Function>& list, aclRegisterCallbackType type,
                               Function function) {
  CANOPY_TRY(check_type(type));
  if (std::erase_if(list, [&](const auto& entry) {
        return entry.type == type && entry.function == function;
      }) == 0) {
    return fail(Errc::invalid_argument, "this callback is not registered under type {}",
                static_cast<int>(type));
  }
  return {};
}

Result<> InitCallbacks::add_init(aclRegisterCallbackType type, aclInitCallbackFunc function,
                                 void* data) {
  std::lock_guard lock(mutex_);
  return add(init_, type, function, data);
}

Result<> InitCallbacks::remove_init(aclRegisterCallbackType type, aclInitCallbackFunc function) {
  std::lock_guard lock(mutex_);
  return remove(init_, type, function);
}

Result<> InitCallbacks::add_finalize(aclRegisterCallbackType type, aclFinalizeCallbackFunc function,
                                     void* data) {
  std::lock_guard lock(mutex_);
  return add(finalize_, type, function, data);
}

Result<> InitCallbacks::remove_finalize(aclRegisterCallbackType type,
                                        aclFinalizeCallbackFunc function) {
  std::lock_guard lock(mutex_);
  return remove(finalize_, type, function);
}

aclError InitCallbacks::run_init(const std::string& configuration) {
  std::lock_guard lock(mutex_);
  // Of a copy: a callback may register and unregister.
  for (const auto& entry : List<aclInitCallbackFunc>(init_)) {
    if (const aclError code = run_init(entry.function, configuration, entry.data)) {
      return code;
    }
  }
  return ACL_SUCCESS;
}

aclError InitCallbacks::run_init(aclInitCallbackFunc function, const std::string& configuration, void* data) {
  return answer_of("aclInit", [&] { return function(configuration.c_str(), configuration.size(), data); });
}

aclError InitCallbacks::run_finalize() {
  std::lock_guard lock(mutex_);
  aclError first = ACL_SUCCESS;
  if (std::exchange(in_finalize_, true)) {
    return first;
  }
  for (const auto& entry : std::ranges::reverse_view(List<aclFinalizeCallbackFunc>(finalize_))) {
    const aclError code = answer_of("aclFinalize", [&] { return entry.function(entry.data); });
    first = first == ACL_SUCCESS ? code : first;
  }
  in_finalize_ = false;
  return first;
}

}  // namespace canopy::acl
