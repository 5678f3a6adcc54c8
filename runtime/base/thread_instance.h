// thread_instance: an object of each thread that is there whenever the thread asks, also while its thread_local objects
// and its values of keys are destroyed (destructors of a program's own may fail, and errors are remembered per thread),
// and after them on the main thread, where exit handlers and static destructors run. An ordinary thread_local object
// would be used after its end there.
#pragma once

#include <pthread.h>

#include <optional>
#include <utility>

namespace canopy {

// One per thread and `Tag`. Destroyed as the value of a key: after all thread_local objects, and again when a key's
// destructor that came later has asked for a new one. Libraries with instances are not unloaded (-z nodelete).
template <class Tag, class T>
T& thread_instance() {
  constinit static thread_local T* instance = nullptr;
  if (instance == nullptr) [[unlikely]] {
    static const std::optional<pthread_key_t> key = [] {
      pthread_key_t made;
      const int err = ::pthread_key_create(
          &made, [](void* of_thread) { delete std::exchange(*static_cast<T**>(of_thread), nullptr); });
      return err == 0 ? std::optional(made) : std::nullopt;  // without one it stays
    }();
    instance = new T;
    if (key) {
      ::pthread_setspecific(*key, &instance);
    }
  }
  return *instance;
}

}  // namespace canopy
