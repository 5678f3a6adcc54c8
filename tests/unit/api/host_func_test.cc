// Host functions in streams.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <string>
#include <vector>

namespace {

struct Meeting {
  std::mutex mutex;
  std::condition_variable changed;
  bool signalled = false;
};

__global__ __aicore__ void signal_meeting(Meeting* meeting) {
  {
    std::lock_guard lock(meeting->mutex);
    meeting->signalled = true;
  }
  meeting->changed.notify_all();
}
CANOPY_KERNEL(signal_meeting)

__global__ __aicore__ void append(std::vector<int>* log, int value) { log->push_back(value); }
CANOPY_KERNEL(append)

// What a kernel is told that wants to wait for its own device.
struct Answers {
  aclrtStream stream;
  aclrtContext context;
  aclError to_synchronize;
  aclError to_set_context;
  aclError to_set_device;
  aclError to_destroy;
};

__global__ __aicore__ void wait_for_itself(Answers* answers) {
  answers->to_set_context = aclrtSetCurrentContext(answers->context);
  answers->to_set_device = aclrtSetDevice(0);
  answers->to_synchronize = aclrtSynchronizeDevice();
  answers->to_destroy = aclrtDestroyStream(answers->stream);
}
CANOPY_KERNEL(wait_for_itself)

}  // namespace

namespace canopy::test {
namespace {

class HostFunc : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
  }
  aclrtStream stream_ = nullptr;
};

TEST_F(HostFunc, RunsInStreamOrderBetweenKernels) {
  struct Step {
    std::vector<int>* log;
    int value;
  };
  std::vector<int> log;
  std::vector<Step> steps(500);
  for (int i = 0; i < 500; ++i) {
    ACL_OK(launch(append, 1, stream_, &log, 2 * i));
    steps[i] = {&log, 2 * i + 1};
    ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
      auto& step = *static_cast<Step*>(p);
      step.log->push_back(step.value);
    }, &steps[i]));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  ASSERT_EQ(log.size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(log[i], i);
  }
}

TEST_F(HostFunc, HoldsItsStreamUntilItReturns) {
  struct State {
    std::atomic<bool> entered{false};
    std::atomic<bool> leave{false};
    std::atomic<bool> after{false};
  } state;
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
    auto& s = *static_cast<State*>(p);
    s.entered.store(true);
    while (!s.leave.load()) {
      std::this_thread::yield();
    }
  }, &state));
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) { static_cast<State*>(p)->after.store(true); }, &state));
  while (!state.entered.load()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_FALSE(state.after.load());
  state.leave.store(true);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(state.after.load());
}

TEST_F(HostFunc, RunsOnAnotherThreadThanTheCallers) {
  std::thread::id id;
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) { *static_cast<std::thread::id*>(p) = std::this_thread::get_id(); }, &id));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_NE(id, std::this_thread::get_id());
}

TEST_F(HostFunc, MaySleepUntilAKernelOfAnotherStreamSignals) {
  for (int i = 0; i < 10; ++i) {
    // More sleepers than executors, all before the one that wakes them.
    Meeting meeting;
    std::vector<aclrtStream> sleepers(5);
    for (aclrtStream& sleeper : sleepers) {
      ACL_OK(aclrtCreateStream(&sleeper));
      ACL_OK(aclrtLaunchHostFunc(sleeper, [](void* p) {
        auto& m = *static_cast<Meeting*>(p);
        std::unique_lock lock(m.mutex);
        m.changed.wait(lock, [&] { return m.signalled; });
      }, &meeting));
    }
    ACL_OK(launch(signal_meeting, 1, stream_, &meeting));
    for (aclrtStream sleeper : sleepers) {
      ACL_OK(aclrtDestroyStream(sleeper));
    }
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(HostFunc, HasTheWholeStackOfAThread) {
  bool done = false;
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
    volatile char large[1 << 20];  // far more than a block's stack
    for (size_t i = 0; i < sizeof large; i += 4096) {
      large[i] = 1;
    }
    *static_cast<bool*>(p) = large[4096] == 1;
  }, &done));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(done);
}

TEST_F(HostFunc, KernelsMayNotWaitForStreams) {
  Answers answers{};
  answers.stream = stream_;
  ACL_OK(aclrtGetCurrentContext(&answers.context));
  ACL_OK(launch(wait_for_itself, 1, stream_, &answers));
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream_, 20'000));
  EXPECT_EQ(answers.to_set_context, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_EQ(answers.to_set_device, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_EQ(answers.to_synchronize, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_EQ(answers.to_destroy, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

TEST_F(HostFunc, ChoosesADeviceForItselfOnly) {
  aclError codes[20];
  for (aclError& code : codes) {
    ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
      int32_t device = -1;
      *static_cast<aclError*>(p) = aclrtGetDevice(&device);
      (void)aclrtSetDevice(0);
    }, &code));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  for (aclError code : codes) {
    EXPECT_EQ(code, ACL_ERROR_RT_CONTEXT_NULL);
  }
}

TEST_F(HostFunc, ThatFillsItsOwnStreamIsToldSo) {
  struct State {
    aclrtStream stream;
    aclError last;
    std::atomic<int> ran{0};
  } state{stream_, ACL_SUCCESS};
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
    auto& s = *static_cast<State*>(p);
    s.last = aclrtSetDevice(0);
    for (int i = 0; i < 5'000 && s.last == ACL_SUCCESS; ++i) {
      s.last = aclrtLaunchHostFunc(s.stream, [](void* q) { static_cast<State*>(q)->ran.fetch_add(1); }, p);
    }
    (void)aclrtResetDevice(0);
  }, &state));
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream_, 20'000));
  EXPECT_EQ(state.last, ACL_ERROR_RT_STREAM_TASK_FULL);
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream_, 20'000));
  EXPECT_GE(state.ran.load(), 2'000) << "what was taken is run";
}

TEST_F(HostFunc, HasNoCurrentDevice) {
  aclError code = ACL_SUCCESS;
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
    int32_t device = -1;
    *static_cast<aclError*>(p) = aclrtGetDevice(&device);
  }, &code));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(code, ACL_ERROR_RT_CONTEXT_NULL);
}

// What is wrong is the place, not that its thread has no context.
TEST_F(HostFunc, IsToldWhyItMayNotWait) {
  struct Answers {
    aclrtStream stream;
    aclError of_stream;
    aclError of_device;
    std::string why;
  } answers{stream_, ACL_SUCCESS, ACL_SUCCESS, ""};
  ACL_OK(aclrtLaunchHostFunc(stream_, [](void* p) {
    auto* const answers = static_cast<Answers*>(p);
    answers->of_device = aclrtSynchronizeDevice();
    answers->of_stream = aclrtSynchronizeStream(answers->stream);
    answers->why = aclGetRecentErrMsg();
  }, &answers));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(answers.of_stream, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_EQ(answers.of_device, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  EXPECT_NE(answers.why.find("it might wait for itself"), std::string::npos) << answers.why;
}

}  // namespace
}  // namespace canopy::test
