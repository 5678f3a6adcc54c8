// thread_instance: an object of each thread that is there whenever the thread asks, also while its thread_local objects
// are destroyed (destructors of a program's own may fail, and errors are remembered per thread), and after them on the
// main thread, where exit handlers and static destructors run. An ordinary thread_local object would be used after
// its end there.
#pragma once

#include <cxxabi.h>

#include <utility>

extern "C" __attribute__((visibility("hidden"))) void* __dso_handle;

namespace canopy {

// One per thread and `Tag`. When the thread's objects are destroyed it goes with them; who asks afterwards gets a new
// one, which goes as well. Tags are types of unnamed namespaces, so that an instance has one address.
template <class Tag, class T>
T& thread_instance() {
  constinit static thread_local T* instance = nullptr;
  if (instance == nullptr) [[unlikely]] {
    instance = new T;
    // Not on the list of statics: threads that end while the list is run come on it again.
    abi::__cxa_thread_atexit([](void* of_thread) { delete std::exchange(*static_cast<T**>(of_thread), nullptr); },
                             &instance, &__dso_handle);
  }
  return *instance;
}

}  // namespace canopy
