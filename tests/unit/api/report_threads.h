// What the tests of report threads share.
#pragma once

#include "tests/unit/api/gate.h"

#include <pthread.h>

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {

// The two schemes have the same rules.
struct Scheme {
  const char* name;
  aclError (*subscribe)(uint64_t, aclrtStream);
  aclError (*unsubscribe)(uint64_t, aclrtStream);
  aclError (*process)(int32_t);
  aclError (*launch)(aclrtStream, aclrtCallback, void*);  // blocking
};

inline const Scheme kSchemes[] = {
    {"Callback", aclrtSubscribeReport, aclrtUnSubscribeReport, aclrtProcessReport,
     [](aclrtStream stream, aclrtCallback fn, void* data) {
       return aclrtLaunchCallback(fn, data, ACL_CALLBACK_BLOCK, stream);
     }},
    {"HostFunc", aclrtSubscribeHostFunc, aclrtUnSubscribeHostFunc, aclrtProcessHostFunc,
     aclrtLaunchHostFunc}};

// A thread that runs what comes for its streams until it serves none.
class Server {
 public:
  explicit Server(const Scheme& scheme) : scheme_(scheme), thread_([this] { serve(); }) {}
  ~Server() { leave(); }
  uint64_t id() { return thread_.native_handle(); }
  void leave() {
    leave_.store(true);
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  void serve() {
    while (!leave_.load()) {
      const aclError code = scheme_.process(20);
      EXPECT_TRUE(code == ACL_SUCCESS || code == ACL_ERROR_RT_WAIT_TIMEOUT ||
                  code == ACL_ERROR_RT_THREAD_SUBSCRIBE)
          << why();
      if (code == ACL_ERROR_RT_THREAD_SUBSCRIBE) {
        std::this_thread::yield();
      }
    }
  }
  const Scheme& scheme_;
  std::atomic<bool> leave_{false};
  std::thread thread_;
};

inline uint64_t self() { return static_cast<uint64_t>(pthread_self()); }

// Queues a kernel of one block that appends `value`.
aclError append(aclrtStream stream, std::vector<int>* log, int value);

inline void set_flag(void* flag) { static_cast<std::atomic<bool>*>(flag)->store(true); }

}  // namespace canopy::test
