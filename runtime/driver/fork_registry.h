// ForkRegistry: the objects of one type that have something to do when the process forks.
//
// A forked child shares open file descriptions with its parent. What signals "this process lives"
// by an open descriptor (a byte-range lock, a socket) would go on signalling it after the parent's
// death, for as long as a child lives that never calls exec. So T closes such descriptors in the
// child.
//
// T has before_fork() and after_fork_in_parent() (lock and unlock whatever guards the descriptors)
// and after_fork_in_child(), which runs in a child that has one thread. The registry's mutex is
// taken before any lock of T's, and no T may fork while it holds its own.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace canopy {

template <class T>
class ForkRegistry {
 public:
  // Leaked on purpose: a fork may come while static destructors run.
  static ForkRegistry& instance() {
    static ForkRegistry* registry = new ForkRegistry;
    return *registry;
  }

  // Calls edit(std::vector<T*>&) with the list, oldest first, under the registry's mutex.
  template <class Edit>
  void edit(Edit&& edit) {
    std::lock_guard lock(mutex_);
    edit(objects_);
  }
  void add(T* object) {
    edit([&](std::vector<T*>& list) { list.push_back(object); });
  }
  void remove(T* object) {
    edit([&](std::vector<T*>& list) { std::erase(list, object); });
  }

 private:
  ForkRegistry() { ::pthread_atfork(prepare, parent, child); }

  static void prepare() {
    instance().mutex_.lock();
    for (T* object : instance().objects_) {
      object->before_fork();
    }
  }
  static void parent() {
    for (T* object : instance().objects_) {
      object->after_fork_in_parent();
    }
    instance().mutex_.unlock();
  }
  static void child() {
    for (T* object : instance().objects_) {
      object->after_fork_in_child();
    }
    instance().mutex_.unlock();
  }

  std::mutex mutex_;  // guards objects_
  std::vector<T*> objects_;
};

}  // namespace canopy
