// Children of fork, and processes that end without finalize.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"
#include "runtime/base/clock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

__global__ __aicore__ void never_ends() {
  for (;;) {
    canopy_yield();
  }
}
CANOPY_KERNEL(never_ends)

__global__ __aicore__ void waits_for_ever() {
  canopy_wait_until([](void*) { return 0; }, nullptr, "something that never comes");
}
CANOPY_KERNEL(waits_for_ever)

__global__ __aicore__ void spins_for_ever() {
  for (;;) {
    __asm__ __volatile__("" ::: "memory");
  }
}
CANOPY_KERNEL(spins_for_ever)

}  // namespace

namespace canopy::test {
namespace {

class Fork : public AclTest {
 protected:
  // Runs body in a child; how the child ended, and how long that took.
  template <class Body>
  static int status_of_child(Body&& body, uint64_t* took_ns) {
    const uint64_t begin = monotonic_ns();
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(30);
      body();
      ::_exit(99);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    *took_ns = monotonic_ns() - begin;
    return status;
  }
};

TEST_F(Fork, TheChildsCallsReturnACodeAndASentence) {
  uint64_t took = 0;
  const int status = status_of_child([] {
    void* memory = nullptr;
    int32_t device = -1;
    const bool refused = aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST) == ACL_ERROR_RT_CONTEXT_NULL &&
                         aclrtSetDevice(0) == ACL_ERROR_RT_CONTEXT_NULL &&
                         aclrtGetDevice(&device) == ACL_ERROR_RT_CONTEXT_NULL &&
                         aclrtSynchronizeDevice() == ACL_ERROR_RT_CONTEXT_NULL &&
                         aclrtLaunchHostFunc(nullptr, [](void*) {}, nullptr) == ACL_ERROR_RT_CONTEXT_NULL &&
                         aclInit(nullptr) == ACL_ERROR_RT_CONTEXT_NULL && aclFinalize() == ACL_ERROR_RT_CONTEXT_NULL;
    const char* text = aclGetRecentErrMsg();
    const bool explained = text != nullptr && std::string(text).find("fork") != std::string::npos;
    ::_exit(refused ? (explained ? 0 : 2) : 1);
  }, &took);
  EXPECT_EQ(status, 0);
}

TEST_F(Fork, TheParentWorksOn) {
  uint64_t took = 0;
  EXPECT_EQ(status_of_child([] { ::_exit(0); }, &took), 0);
  ACL_OK(aclrtLaunchHostFunc(nullptr, [](void*) {}, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_F(Fork, AChildThatExitsNormallyDoesNotWaitForExecutorsItDoesNotHave) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer takes the parent's threads for leaked in the child, and changes its exit code";
#elif defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "LeakSanitizer takes what only the parent's threads hold for leaked in the child, and changes its exit code";
#endif
  uint64_t took = 0;
  const int status = status_of_child([] { std::exit(0); }, &took);
  EXPECT_EQ(status, 0);
  EXPECT_LT(took, 1'500'000'000u);
}

// The statement of a death test runs in a process of its own, started afresh.
class Exit : public testing::Test {
 protected:
  void SetUp() override { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
  template <class Queue>
  static void exit_with(Queue&& queue) {
    ::alarm(40);
    if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) {
      std::_Exit(1);
    }
    queue();
    std::exit(7);
  }
};

TEST_F(Exit, WithoutFinalizeEndsQuickly) {
  const uint64_t begin = monotonic_ns();
  EXPECT_EXIT(exit_with([] {}), testing::ExitedWithCode(7), "");
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000u);
}

TEST_F(Exit, WithWorkQueuedEndsQuickly) {
  const uint64_t begin = monotonic_ns();
  EXPECT_EXIT(exit_with([] {
                for (int i = 0; i < 2'000; ++i) {
                  aclrtLaunchHostFunc(nullptr, [](void*) { ::usleep(10'000); }, nullptr);
                }
              }),
              testing::ExitedWithCode(7), "");
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000u) << "20 s of work were queued";
}

// Of what was registered before aclInit, and so runs when the executors have been stopped.
TEST_F(Exit, CallsThatComeAfterTheEndAreRefused) {
  EXPECT_EXIT(
      {
        static aclrtStream stream = nullptr;
        std::atexit([] {
          const bool refused = aclrtSynchronizeDevice() == ACL_ERROR_RT_CONTEXT_NULL &&
                               aclrtLaunchHostFunc(stream, [](void*) {}, nullptr) == ACL_ERROR_RT_CONTEXT_NULL &&
                               aclrtDestroyStream(stream) == ACL_ERROR_RT_CONTEXT_NULL &&
                               aclrtResetDevice(0) == ACL_ERROR_RT_CONTEXT_NULL &&
                               aclFinalize() == ACL_ERROR_RT_CONTEXT_NULL;
          std::_Exit(refused ? 9 : 8);
        });
        exit_with([] {
          aclrtCreateStream(&stream);
          for (int i = 0; i < 100; ++i) {
            aclrtLaunchHostFunc(stream, [](void*) { ::usleep(10'000); }, nullptr);
          }
        });
      },
      testing::ExitedWithCode(9), "");
}

// Threads remember their errors; the objects in which they do must be there as long as calls may fail.
TEST_F(Exit, CallsMayFailWhileTheThreadsOwnObjectsAreDestroyed) {
  static std::atomic<int> failed{0};
  struct FailsAtTheEnd {
    bool made = false;
    ~FailsAtTheEnd() {
      for (int i = 0; i < 20; ++i) {
        const bool refused = aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x1234)) == ACL_ERROR_RT_CONTEXT_NULL;
        const char* text = aclGetRecentErrMsg();
        failed += refused && text != nullptr && std::string(text).find("likely cause") != std::string::npos ? 1 : 0;
      }
    }
  };
  for (int round = 0; round < 5; ++round) {
    std::thread([] {
      static thread_local FailsAtTheEnd last;  // made before the runtime's, and so destroyed after them
      last.made = true;
      EXPECT_EQ(aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x99)), ACL_ERROR_RT_CONTEXT_NULL);
      EXPECT_NE(aclGetRecentErrMsg(), nullptr);
    }).join();
  }
  EXPECT_EQ(failed.load(), 5 * 20);
}

// These run after all thread_local objects, the runtime's own too.
TEST_F(Exit, CallsMayFailInDestructorsOfKeys) {
  static std::atomic<int> failed{0};
  pthread_key_t key;
  ASSERT_EQ(::pthread_key_create(&key, [](void*) {
    const aclError code = aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x1234));
    failed += code == ACL_ERROR_RT_CONTEXT_NULL && aclGetRecentErrMsg() != nullptr ? 1 : 0;
  }), 0);
  for (int round = 0; round < 5; ++round) {
    std::thread([key] {
      ::pthread_setspecific(key, &failed);
      EXPECT_EQ(aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x99)), ACL_ERROR_RT_CONTEXT_NULL);
    }).join();
  }
  EXPECT_EQ(failed.load(), 5);
  ::pthread_key_delete(key);
}

TEST_F(Exit, ACallThatFailsInAnExitHandlerHasItsText) {
  EXPECT_EXIT(
      {
        std::atexit([] {
          const aclError code = aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x1234));
          const char* text = aclGetRecentErrMsg();
          std::_Exit(code != ACL_SUCCESS && text != nullptr && std::string(text).size() > 20 ? 9 : 8);
        });
        exit_with([] { aclrtDestroyStream(reinterpret_cast<aclrtStream>(0x99)); });
      },
      testing::ExitedWithCode(9), "");
}

TEST_F(Exit, WithKernelsThatWaitOrYieldForEverEndsQuickly) {
  const uint64_t begin = monotonic_ns();
  EXPECT_EXIT(exit_with([] {
                aclrtStream stream = nullptr;
                aclrtCreateStream(&stream);
                launch(waits_for_ever, 5, stream);
                launch(never_ends, 5, nullptr);
              }),
              testing::ExitedWithCode(7), "");
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000u);
}

TEST_F(Exit, WithStreamsThatWaitForEverEndsQuickly) {
  const uint64_t begin = monotonic_ns();
  EXPECT_EXIT(exit_with([] {
                aclrtStream streams[4] = {};
                for (aclrtStream& stream : streams) {
                  aclrtCreateStream(&stream);
                }
                aclrtNotify notify = nullptr;
                aclrtEvent event = nullptr;
                void* word = nullptr;
                aclrtCreateNotify(&notify, 0);
                aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL);
                aclrtMalloc(&word, 64, ACL_MEM_MALLOC_HUGE_FIRST);
                aclrtMemset(word, 64, 0, 64);
                aclrtWaitAndResetNotify(notify, streams[0], 0);
                aclrtWaitAndResetNotify(notify, streams[1], 900);
                aclrtStreamWaitEventWithTimeout(streams[2], event, 900);
                aclrtValueWait(word, 1, ACL_STREAM_WAIT_VALUE_EQ, streams[3]);
                aclrtSynchronizeStreamWithTimeout(streams[3], 20);  // all have got to their waits
              }),
              testing::ExitedWithCode(7), "");
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000u);
}

TEST_F(Exit, WithAKernelThatSpinsForEverEndsAfterAShortPatience) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a thread is left behind on purpose, for which ThreadSanitizer changes the exit code";
#endif
  const uint64_t begin = monotonic_ns();
  EXPECT_EXIT(exit_with([] {
                launch(spins_for_ever, 3, nullptr);
                aclrtStream stream = nullptr;
                aclrtCreateStream(&stream);
                aclrtLaunchHostFunc(stream, [](void*) {}, nullptr);
                aclrtSynchronizeStream(stream);  // the spinning has begun
              }),
              testing::ExitedWithCode(7), "");
  EXPECT_LT(monotonic_ns() - begin, 15'000'000'000u);
}

}  // namespace
}  // namespace canopy::test
