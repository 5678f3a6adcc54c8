// Ending all work of a device. (semantics: "Errors, exceptions, abort", device)
#include "tests/unit/api/gate.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

// One that holds the default stream until it is released: no abort can end it.
class HostFunction {
 public:
  ~HostFunction() { release(); }
  aclError queue() {
    return aclrtLaunchHostFunc(
        nullptr,
        [](void* p) {
          auto* self = static_cast<HostFunction*>(p);
          self->begun_.store(true);
          while (!self->released_.load()) {
            std::this_thread::yield();
          }
          self->ended_.store(true);
        },
        this);
  }
  void await() const {
    while (!begun_.load()) {
      std::this_thread::yield();
    }
  }
  // Returns when it has ended, so that it may go.
  void release() {
    released_.store(true);
    while (begun_.load() && !ended_.load()) {
      std::this_thread::yield();
    }
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> released_{false};
  std::atomic<bool> ended_{false};
};

class TaskAbort : public AclTest {
 protected:
  static int32_t note(int32_t device, aclrtDeviceTaskAbortStage stage, uint32_t timeout,
                      void* log) {
    *static_cast<std::string*>(log) +=
        std::to_string(device) + (stage == ACL_RT_DEVICE_TASK_ABORT_PRE ? " pre " : " post ") +
        std::to_string(timeout) + "; ";
    return 0;
  }
  void TearDown() override {
    for (const char* name : {"a", "b"}) {
      aclrtSetDeviceTaskAbortCallback(name, nullptr, nullptr);
    }
    AclTest::TearDown();
  }
  std::atomic<int> dropped_{0};
};

TEST_F(TaskAbort, DropsTheWorkOfAllContextsOfTheDeviceAndOfNoOther) {
  Gate gate;
  Gate other_gate;
  std::atomic<int> ran{0};
  aclrtContext contexts[2];
  ACL_OK(aclrtGetCurrentContext(&contexts[0]));
  ACL_OK(aclrtCreateContext(&contexts[1], 0));
  for (aclrtContext context : contexts) {
    ACL_OK(aclrtSetCurrentContext(context));
    aclrtStream stream = nullptr;
    ACL_OK(aclrtCreateStream(&stream));
    for (aclrtStream each : {stream, aclrtStream{nullptr}}) {
      ACL_OK(gate.close(each));
      ACL_OK(aclrtLaunchHostFunc(each, &add, &dropped_));
    }
  }
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(other_gate.close(nullptr));
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran));
  ACL_OK(aclrtDeviceTaskAbort(0, 0));
  EXPECT_EQ(dropped_.load(), 0);
  EXPECT_EQ(ran.load(), 0);
  other_gate.open();
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran.load(), 1);
  for (aclrtContext context : contexts) {
    ACL_OK(aclrtSetCurrentContext(context));
    ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran));
    ACL_OK(aclrtSynchronizeDevice());
  }
  EXPECT_EQ(ran.load(), 3) << "the streams are usable again";
}

TEST_F(TaskAbort, WhoWaitsGets107022) {
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  Gate gate;
  ACL_OK(gate.close(stream));
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  std::atomic<bool> waiting{false};
  std::jthread waiter([&] {
    ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
    waiting.store(true);
    EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_ERROR_RT_DEVICE_TASK_ABORT) << why();
  });
  while (!waiting.load()) {
    std::this_thread::yield();
  }
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 50));
  ACL_OK(aclrtDeviceTaskAbort(0, 5'000));
}

// A host function cannot be ended: the abort is under way until it returns.
TEST_F(TaskAbort, SubmissionsMeanwhileAre107022) {
  HostFunction busy;
  ACL_OK(busy.queue());
  busy.await();
  std::jthread aborter([] { EXPECT_EQ(aclrtDeviceTaskAbort(0, 0), ACL_SUCCESS) << why(); });
  // The abort begins with the device, where a look costs the stream no room, and goes on to its streams.
  aclrtStream stream = nullptr;
  aclError code;
  while ((code = aclrtCreateStream(&stream)) == ACL_SUCCESS) {
    ACL_OK(aclrtDestroyStream(stream));
    std::this_thread::yield();
  }
  EXPECT_EQ(code, ACL_ERROR_RT_DEVICE_TASK_ABORT) << why();
  while ((code = aclrtLaunchHostFunc(nullptr, &add, &dropped_)) == ACL_SUCCESS) {
    std::this_thread::yield();
  }
  EXPECT_EQ(code, ACL_ERROR_RT_DEVICE_TASK_ABORT) << why();
  busy.release();
  aborter.join();
  EXPECT_EQ(dropped_.load(), 0);
  std::atomic<int> ran{0};
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(TaskAbort, ThatCannotEndInTimeSaysSo) {
  HostFunction busy;
  ACL_OK(busy.queue());
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &dropped_));
  busy.await();
  ACL_CODE(ACL_ERROR_RT_WAIT_TIMEOUT, aclrtDeviceTaskAbort(0, 30));
  busy.release();
  aclrtStreamStatus status = ACL_STREAM_STATUS_NOT_READY;
  while (status != ACL_STREAM_STATUS_COMPLETE) {
    ACL_OK(aclrtStreamQuery(nullptr, &status));
  }
  EXPECT_EQ(dropped_.load(), 0) << "what was queued is dropped nevertheless";
}

TEST_F(TaskAbort, CallbacksHearOfItBeforeAndAfter) {
  std::string log;
  ACL_OK(aclrtSetDeviceTaskAbortCallback("a", &note, &log));
  ACL_OK(aclrtSetDeviceTaskAbortCallback("b", &note, &log));
  ACL_OK(aclrtDeviceTaskAbort(0, 700));
  EXPECT_EQ(log, "0 pre 700; 0 pre 700; 0 post 700; 0 post 700; ");
}

TEST_F(TaskAbort, ACallbackThatFailsStopsItWith107035) {
  std::string log;
  Gate gate;
  std::atomic<int> ran{0};
  ACL_OK(gate.close(nullptr));
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran));
  ACL_OK(aclrtSetDeviceTaskAbortCallback(
      "a", [](int32_t, aclrtDeviceTaskAbortStage, uint32_t, void*) { return 5; }, nullptr));
  ACL_OK(aclrtSetDeviceTaskAbortCallback("b", &note, &log));
  ACL_CODE(ACL_ERROR_RT_TASK_ABORT_STOP, aclrtDeviceTaskAbort(0, 0));
  EXPECT_EQ(log, "") << "nobody is called after it";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran.load(), 1) << "nothing was dropped";
}

TEST_F(TaskAbort, CallbacksHaveNamesOfTheirOwn) {
  std::string log;
  ACL_OK(aclrtSetDeviceTaskAbortCallback("a", &note, &log));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetDeviceTaskAbortCallback("a", &note, &log));
  ACL_OK(aclrtSetDeviceTaskAbortCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetDeviceTaskAbortCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtSetDeviceTaskAbortCallback(nullptr, &note, &log));
}

TEST_F(TaskAbort, RefusesUnknownDevicesAndMoreThan36Minutes) {
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceTaskAbort(4, 0));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceTaskAbort(-1, 0));
  ACL_OK(aclrtDeviceTaskAbort(0, 36 * 60 * 1000));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceTaskAbort(0, 36 * 60 * 1000 + 1));
}

}  // namespace
}  // namespace canopy::test
