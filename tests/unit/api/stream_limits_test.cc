// As many streams as there can be, and as many tasks in one. (semantics: "Streams", documented
// limits)
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

__global__ __aicore__ void count_up(uint64_t* counter) { std::atomic_ref(*counter).fetch_add(1); }
CANOPY_KERNEL(count_up)

class StreamLimits : public AclTest {
 protected:
};

// Every stream has a kernel that has begun or waits for a core, a copy, an event between two
// streams and a host function, all at the same time; none is through before the gate opens.
TEST_F(StreamLimits, AllStreamsOfADeviceCanHaveWorkInFlight) {
  constexpr int kStreams = 1984;
  uint64_t* counters = nullptr;
  ACL_OK(aclrtMalloc(reinterpret_cast<void**>(&counters), kStreams * sizeof(uint64_t),
                     ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemset(counters, kStreams * sizeof(uint64_t), 0, kStreams * sizeof(uint64_t)));
  std::vector<aclrtStream> streams(kStreams);
  std::vector<aclrtEvent> events(kStreams);
  std::atomic<int> ran{0};
  Gate gate;
  for (int i = 0; i < kStreams; ++i) {
    ACL_OK(aclrtCreateStreamWithConfig(&streams[i], i % 8, 0));
    ACL_OK(aclrtCreateEventExWithFlag(&events[i], ACL_EVENT_SYNC));
    ACL_OK(gate.close(streams[i]));
    if (i != 0) {
      ACL_OK(aclrtStreamWaitEvent(streams[i], events[i - 1]));
      ACL_OK(aclrtMemcpyAsync(&counters[i], 8, &counters[i - 1], 8, ACL_MEMCPY_DEVICE_TO_DEVICE,
                              streams[i]));
    }
    ACL_OK(launch(count_up, 1, streams[i], &counters[i]));
    ACL_OK(aclrtRecordEvent(events[i], streams[i]));
    ACL_OK(aclrtLaunchHostFunc(streams[i], &add, &ran));
  }
  for (aclrtStream stream : streams) {
    aclrtStreamStatus status;
    ACL_OK(aclrtStreamQuery(stream, &status));
    ASSERT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  }
  EXPECT_EQ(ran.load(), 0);
  gate.open();
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), kStreams);
  std::vector<uint64_t> values(kStreams);
  ACL_OK(
      aclrtMemcpy(values.data(), kStreams * 8, counters, kStreams * 8, ACL_MEMCPY_DEVICE_TO_HOST));
  for (int i = 0; i < kStreams; ++i) {
    ASSERT_EQ(values[i], static_cast<uint64_t>(i) + 1) << "each stream goes on from the one before";
  }
  ACL_OK(aclrtFree(counters));
}

TEST_F(StreamLimits, AllStreamsOfADeviceCanBeAbortedAtOnce) {
  constexpr int kStreams = 1984;
  std::atomic<int> ran{0};
  aclrtEvent event = nullptr;
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
  ACL_OK(aclrtCreateNotify(&notify, 0));
  Gate gate;
  for (int i = 0; i < kStreams; ++i) {
    aclrtStream stream = nullptr;
    ACL_OK(aclrtCreateStream(&stream));
    switch (i % 3) {
      case 0:
        ACL_OK(gate.close(stream));
        break;
      case 1:
        ACL_OK(aclrtStreamWaitEvent(stream, event));
        break;
      default:
        ACL_OK(aclrtWaitAndResetNotify(notify, stream, i % 2 == 0 ? 0 : 900));
    }
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  }
  ACL_OK(aclrtDeviceTaskAbort(0, 20'000));
  EXPECT_EQ(ran.load(), 0);
  ACL_OK(aclrtSynchronizeDevice());
}

// The submitter cannot get further ahead than the queue is deep, loses nothing, and keeps the
// order.
TEST_F(StreamLimits, AFullQueueHoldsTheSubmitterBackAfter2013TasksOrMore) {
  constexpr uint64_t kTasks = 20'000;
  struct Step {
    uint64_t number;
    uint64_t* next;
    std::atomic<uint64_t>* out_of_order;
  };
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  uint64_t next = 0;
  std::atomic<uint64_t> out_of_order{0};
  std::vector<Step> steps;
  for (uint64_t i = 0; i < kTasks; ++i) {
    steps.push_back({i, &next, &out_of_order});
  }
  Gate gate;
  ACL_OK(gate.close(stream));
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  std::atomic<uint64_t> submitted{0};
  std::jthread submitter([&] {
    ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
    for (Step& step : steps) {
      ASSERT_EQ(aclrtLaunchHostFunc(
                    stream,
                    [](void* p) {
                      Step& mine = *static_cast<Step*>(p);
                      mine.out_of_order->fetch_add(*mine.next == mine.number ? 0 : 1);
                      *mine.next = mine.number + 1;
                    },
                    &step),
                ACL_SUCCESS);
      submitted.fetch_add(1);
    }
  });
  while (submitted.load() < 2013) {
    std::this_thread::yield();
  }
  // It stands still now: the time limit of another wait gives it the chance to show that it does
  // not.
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 30));
  const uint64_t held = submitted.load();
  EXPECT_LE(held, 2048u);
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 30));
  EXPECT_EQ(submitted.load(), held);
  gate.open();
  submitter.join();
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(next, kTasks);
  EXPECT_EQ(out_of_order.load(), 0u);
}

// 64 devices at once, each with work that goes on to the next.
TEST(DeviceLimits, AProcessCanUse64Devices) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const std::string spec =
      write_scratch("sixty-four.json", R"({"canopy_spec": 1, "name": "sixty-four", "count": 64,
      "npu": {"soc": "TestNPU", "cube_cores": 2, "vector_cores": 4, "aicpu_cores": 1, "hbm": "64M", "ub": "64K"},
      "links": {"mesh": "hccs"}})");
  const auto run = [] {
    ::setenv("CANOPY_SOC_SPEC", ::getenv("CANOPY_TEST_SPEC"), 1);
    std::vector<aclrtStream> streams(64);
    std::vector<aclrtEvent> events(64);
    static std::atomic<int> ran{0};
    bool good = aclInit(nullptr) == ACL_SUCCESS;
    for (int device = 0; device < 64; ++device) {
      good = good && aclrtSetDevice(device) == ACL_SUCCESS &&
             aclrtCreateStream(&streams[device]) == ACL_SUCCESS &&
             aclrtCreateEventExWithFlag(&events[device], ACL_EVENT_SYNC) == ACL_SUCCESS &&
             (device == 0 ||
              aclrtStreamWaitEvent(streams[device], events[device - 1]) == ACL_SUCCESS) &&
             aclrtLaunchHostFunc(
                 streams[device], [](void*) { ran.fetch_add(1); }, nullptr) == ACL_SUCCESS &&
             aclrtRecordEvent(events[device], streams[device]) == ACL_SUCCESS;
    }
    good = good && aclrtSynchronizeStream(streams[63]) == ACL_SUCCESS && ran.load() == 64;
    good =
        good && aclrtSetDevice(64) == ACL_ERROR_RT_INVALID_DEVICEID && aclFinalize() == ACL_SUCCESS;
    std::_Exit(good ? 0 : 1);
  };
  if (!testing::internal::InDeathTestChild()) {
    ::setenv("CANOPY_TEST_SPEC", spec.c_str(), 1);
  }
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace canopy::test
