// NamedCallbacks: functions of users, each registered under a name of its own, with one argument of theirs.
// Thread-safe. They are called without a lock, so that they may register and unregister; a call that
// is on its way may come after its callback was unregistered. One that throws does not keep the others from being called,
// nor the caller from what it has begun: that ends, and tells of it then (CallbackFailure).
#pragma once

#include "runtime/base/result.h"

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

// What call() threw, in words; "" if it returned. A thread that it ends (pthread_exit) is let go.
template <class Call>
std::string thrown_by(Call&& call) {
  try {
    call();
    return {};
  } catch (const std::exception& thrown) {
    return fmt::format("has thrown an exception: {}", thrown.what());
  } catch (...) {
    if (!std::current_exception()) {
      throw;
    }
    return "has thrown what is no std::exception";
  }
}

// The first exception of callbacks in something that goes on all the same.
class CallbackFailure {
 public:
  void add(std::string sentence) {
    if (sentence_.empty()) {
      sentence_ = std::move(sentence);
    }
  }
  bool any() const { return !sentence_.empty(); }
  // Errc::internal if there was one; `outcome`: what has become of what went on.
  Result<> tell(const char* outcome) const {
    if (sentence_.empty()) {
      return {};
    }
    return fail(Errc::internal, "{}; {}", sentence_, outcome);
  }

 private:
  std::string sentence_;
};

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
  void call(CallbackFailure* failure, A... arguments) const {
    for (const Entry& entry : copy()) {
      if (std::string deed = thrown_by([&] { entry.function(arguments..., entry.data); }); !deed.empty()) {
        failure->add(fmt::format("the {} callback '{}' {}", what_, entry.name, deed));
      }
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
