#include "tests/unit/base/thread_limit.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<int> g_asked{0};
std::atomic<int> g_refused{0};  // 0: none
std::atomic<bool> g_only{false};

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  const int number = g_asked.fetch_add(1) + 1;
  const int refused = g_refused.load();
  if (refused != 0 && (g_only.load() ? number == refused : number >= refused)) {
    return EAGAIN;
  }
  return real(thread, attributes, body, argument);
}

namespace canopy::test {

int ThreadLimit::asked() { return g_asked.load(); }

void ThreadLimit::set(int number, bool only) {
  g_refused.store(0);
  g_asked.store(0);
  g_only.store(only);
  g_refused.store(number);
}

}  // namespace canopy::test
