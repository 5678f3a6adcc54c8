// NamedCallbacks: functions of users, each registered under a name of its own, with one argument of theirs.
// Thread-safe. They are called without a lock, so that they may register and unregister; a call that
// is on its way may come after its callback was unregistered.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

// `Function` takes (arguments of call()..., void* data).
template <class Function>
class NamedCallbacks {
 public:
  explicit NamedCallbacks(const char* what) : what_(what) {}

  // A null function unregisters. Errc::invalid_argument: the name is taken, or unknown.
  Result<> set(const std::string& name, Function function, void* data) {
    std::lock_guard lock(mutex_);
    if (function == nullptr) {
      if (std::erase_if(list_, [&](const Entry& entry) { return entry.name == name; }) == 0) {
        return fail(Errc::invalid_argument, "no {} callback is called '{}'", what_, name);
      }
      return {};
    }
    for (const Entry& entry : list_) {
      if (entry.name == name) {
        return fail(Errc::invalid_argument, "a {} callback is called '{}' already", what_, name);
      }
    }
    list_.push_back({name, function, data});
    return {};
  }

  // In the order of registration.
  template <class... A>
  void call(A... arguments) const {
    for (const Entry& entry : copy()) {
      entry.function(arguments..., entry.data);
    }
  }
  // The same until one returns something else than 0: that, and its name in *who.
  template <class... A>
  int32_t call_until_failure(std::string* who, A... arguments) const {
    for (const Entry& entry : copy()) {
      if (const int32_t code = entry.function(arguments..., entry.data); code != 0) {
        *who = entry.name;
        return code;
      }
    }
    return 0;
  }

 private:
  struct Entry {
    std::string name;
    Function function;
    void* data;
  };
  std::vector<Entry> copy() const {
    std::lock_guard lock(mutex_);
    return list_;
  }

  const char* const what_;
  mutable std::mutex mutex_;  // guards list_
  std::vector<Entry> list_;
};

}  // namespace canopy
