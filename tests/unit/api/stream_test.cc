// Streams: order, synchronisation, time limits, attributes.
#include "tests/unit/api/gate.h"

#include "runtime/base/clock.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Stream : public AclTest {};

TEST_F(Stream, RunsItsTasksFirstInFirstOut) {
  struct Step {
    std::vector<int>* log;
    int value;
  };
  std::vector<int> log;
  std::vector<Step> steps(1000);
  aclrtStream stream = make_stream();
  for (int i = 0; i < 1000; ++i) {
    steps[i] = {&log, i};
    ACL_OK(aclrtLaunchHostFunc(stream, [](void* p) {
      auto& step = *static_cast<Step*>(p);
      step.log->push_back(step.value);
    }, &steps[i]));
  }
  ACL_OK(aclrtSynchronizeStream(stream));
  ASSERT_EQ(log.size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(log[i], i);
  }
}

TEST_F(Stream, DoesNotWaitForAnyOtherTheDefaultStreamIncluded) {
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(nullptr));
  {
    OpenAtEnd open(gate, nullptr);
    aclrtStream stream = make_stream();
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
    ACL_OK(aclrtSynchronizeStream(stream));
    EXPECT_EQ(ran.load(), 1);
    ACL_OK(aclrtDestroyStream(stream));
  }
}

TEST_F(Stream, SynchronousMemoryCallsWaitForNoStream) {
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  Gate gate;
  ACL_OK(gate.close(nullptr));
  OpenAtEnd open(gate, nullptr);
  ACL_OK(aclrtMemset(memory, 64, 5, 64));
  char bytes[64] = {};
  ACL_OK(aclrtMemcpy(bytes, 64, memory, 64, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(bytes[63], 5);
  ACL_OK(aclrtFree(memory));
}

TEST_F(Stream, DestroyWaitsForQueuedWork) {
  std::atomic<int> ran{0};
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtDestroyStream(stream));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Stream, StaleForeignAndInventedHandlesAre107017) {
  aclrtStream stream = make_stream();
  ACL_OK(aclrtDestroyStream(stream));
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEvent(&event));
  for (void* handle : {static_cast<void*>(stream), static_cast<void*>(event), kInvented}) {
    aclrtStreamStatus status;
    int32_t id;
    uint32_t value;
    constexpr int kCode = ACL_ERROR_RT_INVALID_HANDLE;
    ACL_CODE(kCode, aclrtDestroyStream(handle));
    ACL_CODE(kCode, aclrtSynchronizeStream(handle));
    ACL_CODE(kCode, aclrtSynchronizeStreamWithTimeout(handle, 1));
    ACL_CODE(kCode, aclrtStreamQuery(handle, &status));
    ACL_CODE(kCode, aclrtStreamGetId(handle, &id));
    ACL_CODE(kCode, aclrtStreamGetPriority(handle, &value));
    ACL_CODE(kCode, aclrtStreamGetFlags(handle, &value));
    ACL_CODE(kCode, aclrtRecordEvent(event, handle));
    ACL_CODE(kCode, aclrtLaunchHostFunc(handle, &add, nullptr));
  }
}

TEST_F(Stream, ATimeLimitOfZeroOrBelowMinusOneIs107000) {
  aclrtStream stream = make_stream();
  for (int32_t timeout : {0, -2, -1000, -2147483647 - 1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeStreamWithTimeout(stream, timeout)) << timeout;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeDeviceWithTimeout(timeout)) << timeout;
  }
}

TEST_F(Stream, ATimeLimitOfMinusOneIsNone) {
  aclrtStream stream = make_stream();
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream, -1));
  ACL_OK(aclrtSynchronizeDeviceWithTimeout(-1));
}

TEST_F(Stream, AnExpiredTimeLimitIs507046AndTheWorkGoesOn) {
  std::atomic<int> ran{0};
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  const uint64_t begin = monotonic_ns();
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
  EXPECT_GE(monotonic_ns() - begin, 20'000'000u);
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeDeviceWithTimeout(5));
  EXPECT_EQ(ran.load(), 0);
  gate.open();
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream, 20'000));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Stream, TheSentenceOfAnExpiredTimeLimitNamesTheKernelThatWaits) {
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  {
    OpenAtEnd open(gate, stream);
    ASSERT_EQ(aclrtSynchronizeStreamWithTimeout(stream, 50), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    const std::string text = why();
    EXPECT_NE(text.find("hold_until_open"), std::string::npos) << text;
    EXPECT_NE(text.find("a test's gate"), std::string::npos) << text;
  }
}

TEST_F(Stream, QueryTellsWhetherWorkIsLeft) {
  aclrtStream stream = make_stream();
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  ACL_OK(aclrtStreamQuery(stream, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtStreamQuery(stream, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtStreamQuery(stream, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
}

TEST_F(Stream, SynchronizeDeviceWaitsForAllStreamsOfTheContext) {
  std::atomic<int> ran{0};
  Gate gate;
  for (int i = 0; i < 6; ++i) {
    aclrtStream stream = make_stream();
    ACL_OK(gate.close(stream));
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  }
  ACL_OK(gate.close(nullptr));
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran));
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), 7);
}

TEST_F(Stream, PrioritiesAreZeroToSevenAndKept) {
  int32_t least = -1;
  int32_t greatest = -1;
  ACL_OK(aclrtDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT_EQ(least, 7);
  EXPECT_EQ(greatest, 0);
  for (uint32_t priority = 0; priority <= 7; ++priority) {
    aclrtStream stream = nullptr;
    ACL_OK(aclrtCreateStreamWithConfig(&stream, priority, 0));
    uint32_t kept = 99;
    ACL_OK(aclrtStreamGetPriority(stream, &kept));
    EXPECT_EQ(kept, priority);
  }
  aclrtStream stream = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamWithConfig(&stream, 8, 0));
  EXPECT_EQ(stream, kInvented) << "an output is set on success only";
}

TEST_F(Stream, FlagsAreExactlyTheOrGivenAtCreation) {
  for (uint32_t flags : {0u, ACL_STREAM_FAST_LAUNCH, ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC,
                         ACL_STREAM_HUGE | ACL_STREAM_FAST_SYNC, ACL_STREAM_PERSISTENT, ACL_STREAM_CPU_SCHEDULE,
                         ACL_STREAM_DEVICE_USE_ONLY}) {
    aclrtStream stream = nullptr;
    ACL_OK(aclrtCreateStreamWithConfig(&stream, 0, flags));
    uint32_t kept = 99;
    ACL_OK(aclrtStreamGetFlags(stream, &kept));
    EXPECT_EQ(kept, flags);
  }
  aclrtStream stream = nullptr;
  for (uint32_t flags : {0x40u, 0x80000000u, 0x100u | ACL_STREAM_FAST_SYNC}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamWithConfig(&stream, 0, flags)) << flags;
  }
}

TEST_F(Stream, ADeviceServesAllItsStreams) {
  constexpr int kStreams = 1984;
  std::atomic<int> ran{0};
  std::vector<aclrtStream> streams;
  std::set<int32_t> ids;
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(make_stream());
    int32_t id = -1;
    ACL_OK(aclrtStreamGetId(streams.back(), &id));
    ids.insert(id);
    ACL_OK(aclrtLaunchHostFunc(streams.back(), &add, &ran));
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kStreams));
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), kStreams);
  for (aclrtStream stream : streams) {
    ACL_OK(aclrtDestroyStream(stream));
  }
}

TEST_F(Stream, SeveralThreadsMaySubmitToOne) {
  aclrtStream stream = make_stream();
  std::atomic<int> ran{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      ACL_OK(aclrtSetDevice(0));
      for (int i = 0; i < 2'000; ++i) {
        ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
      }
      ACL_OK(aclrtResetDevice(0));
    });
  }
  threads.clear();
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(ran.load(), 8'000);
}

// Each thread uses streams of its own; one of them waits for the whole device meanwhile.
TEST_F(Stream, TheDeviceCanBeSynchronizedWhileOtherThreadsDestroyTheirStreams) {
  std::atomic<bool> done{false};
  std::jthread other([&] {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    std::atomic<int> ran{0};
    for (int i = 0; i < 1'500; ++i) {
      aclrtStream stream = nullptr;
      ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
      ASSERT_EQ(aclrtLaunchHostFunc(stream, &add, &ran), ACL_SUCCESS);
      ASSERT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
    }
    EXPECT_EQ(ran.load(), 1'500);
    done.store(true);
  });
  while (!done.load()) {
    ACL_OK(aclrtSynchronizeDevice());
  }
}

}  // namespace
}  // namespace canopy::test
