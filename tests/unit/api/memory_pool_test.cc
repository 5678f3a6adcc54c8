// Pools of device memory in stream order: who may have a block, and when.
#include "tests/unit/api/stream_ordered_pool.h"

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

namespace canopy::test {
namespace {

TEST_F(StreamOrderedPool, GivesDeviceMemoryThatTheStreamUses) {
  void* memory = take(1000, a_);
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 1000));
  ACL_OK(aclrtMemsetAsync(memory, 1000, 9, 1000, a_));
  ACL_OK(aclrtMemcpyAsync(pinned, 1000, memory, 1000, ACL_MEMCPY_DEVICE_TO_HOST, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(static_cast<char*>(pinned)[999], 9);
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(StreamOrderedPool, BlocksAreAlignedApartAndKnownExactly) {
  char* one = static_cast<char*>(take(100, a_));
  char* two = static_cast<char*>(take(3 * kMiB, a_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(one) % 64, 0u);
  aclrtPtrAttributes attributes;
  ACL_OK(aclrtPointerGetAttributes(one + 99, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  void* base = nullptr;
  size_t size = 0;
  ACL_OK(aclrtMemGetAddressRange(two + kMiB, &base, &size));
  EXPECT_EQ(base, two);
  EXPECT_EQ(size, 3 * kMiB);
  ACL_OK(aclrtMemset(one, 100, 1, 100));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(one, 200, 1, 101));
}

TEST_F(StreamOrderedPool, TheSameStreamHasItsBlockAgainAtOnce) {
  void* memory = take(5000, a_);
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  EXPECT_EQ(take(5000, a_), memory);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(a_));  // the kernel leaves the gate
}

TEST_F(StreamOrderedPool, AnotherStreamHasItOnlyWhenTheFirstIsThrough) {
  keep_everything();
  void* memory = take(2 * kMiB, a_);
  {
    Gate gate;
    ACL_OK(gate.close(a_));
    const OpenAtEnd end(gate, a_);
    ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
    EXPECT_NE(take(2 * kMiB, b_), memory);
  }
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

TEST_F(StreamOrderedPool, WithoutOpportunismThatTakesASynchronisation) {
  keep_everything();
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 0);
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemsetAsync(memory, 1, 1, 1, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  aclrtStreamStatus status = ACL_STREAM_STATUS_NOT_READY;
  while (status == ACL_STREAM_STATUS_NOT_READY) {
    ACL_OK(aclrtStreamQuery(a_, &status));
  }
  EXPECT_NE(take(2 * kMiB, b_), memory);
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

TEST_F(StreamOrderedPool, AWaitForAnEventAfterTheFreeIsEnough) {
  void* memory = take(2 * kMiB, a_);
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtRecordEvent(event, a_));
  ACL_OK(aclrtStreamWaitEvent(b_, event));
  set_switch(ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES, 0);
  void* other = take(2 * kMiB, b_);
  EXPECT_NE(other, memory);
  set_switch(ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES, 1);
  EXPECT_EQ(take(2 * kMiB, b_), memory);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(a_));  // the kernel leaves the gate
}

TEST_F(StreamOrderedPool, AWaitForAnEventBeforeTheFreeIsNot) {
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemPoolFreeAsync(take(100, a_), a_));  // events of a_ are followed from here on
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtRecordEvent(event, a_));
  ACL_OK(aclrtMemsetAsync(memory, 2 * kMiB, 1, 2 * kMiB, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtStreamWaitEvent(b_, event));
  EXPECT_NE(take(2 * kMiB, b_), memory);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(a_));  // the kernel leaves the gate
}

TEST_F(StreamOrderedPool, TheRuntimeInsertsTheWaitWhenAllowed) {
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
  void* memory = take(2 * kMiB, a_);
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemsetAsync(memory, 100, 1, 100, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ASSERT_EQ(take(2 * kMiB, b_), memory);
  ACL_OK(aclrtMemsetAsync(memory, 100, 2, 100, b_));
  aclrtStreamStatus status;
  ACL_OK(aclrtStreamQuery(b_, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(b_));
  EXPECT_EQ(*static_cast<char*>(memory), 2) << "b came before a";
}

TEST_F(StreamOrderedPool, ADestroyedStreamsBlocksAreFree) {
  keep_everything();
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 0);
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemsetAsync(memory, 1, 1, 1, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtDestroyStream(a_));
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

// The pool is full, and its only block is of a stream that another thread has begun to destroy.
TEST_F(StreamOrderedPool, ABlockOfAStreamThatIsBeingDestroyedIsWaitedForToo) {
  static std::atomic<bool> begun;
  begun = false;
  pool_ = make_pool(2 * kMiB);
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
  void* memory = take(2 * kMiB, a_);
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtRegStreamStateCallback(
      "destroying", [](aclrtStream, aclrtStreamState, void*) { begun = true; }, nullptr));
  std::thread destroyer([&] {
    ACL_OK(aclrtSetDevice(0));
    ACL_OK(aclrtDestroyStream(a_));
    ACL_OK(aclrtResetDevice(0));
  });
  while (!begun) {
    std::this_thread::yield();
  }
  for (int i = 0; i < 1'000; ++i) {  // so that it gets on, if it can
    std::this_thread::yield();
  }
  EXPECT_EQ(take(2 * kMiB, b_), memory);
  gate.open();
  destroyer.join();
  ACL_OK(aclrtSynchronizeStream(b_));
  ACL_OK(aclrtRegStreamStateCallback("destroying", nullptr, nullptr));
}

TEST_F(StreamOrderedPool, TheDefaultStreamIsAStreamLikeOthers) {
  void* memory = take(5000, nullptr);
  ACL_OK(aclrtMemPoolFreeAsync(memory, nullptr));
  aclrtStream its_handle = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&its_handle));
  EXPECT_EQ(take(5000, its_handle), memory);
}

// Every block is filled with a mark and read back in stream order: whoever gets it too early
// overwrites it.
TEST_F(StreamOrderedPool, NobodySeesAnothersBlockUnderLoad) {
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
  constexpr int kRounds = 400;
  constexpr size_t kMost = 20'000;
  const auto work = [&](aclrtStream stream, unsigned seed) {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    std::mt19937 random(seed);
    char* seen = nullptr;
    ASSERT_EQ(aclrtMallocHost(reinterpret_cast<void**>(&seen), kRounds * 2), ACL_SUCCESS);
    for (int round = 0; round < kRounds; ++round) {
      const size_t bytes = 1 + random() % kMost;
      void* memory = take(bytes, stream);
      ASSERT_EQ(aclrtMemsetAsync(memory, bytes, round, bytes, stream), ACL_SUCCESS) << why();
      ASSERT_EQ(aclrtMemcpyAsync(seen + 2 * round, 1, memory, 1, ACL_MEMCPY_DEVICE_TO_HOST, stream),
                ACL_SUCCESS);
      ASSERT_EQ(aclrtMemcpyAsync(seen + 2 * round + 1, 1, static_cast<char*>(memory) + bytes - 1, 1,
                                 ACL_MEMCPY_DEVICE_TO_HOST, stream),
                ACL_SUCCESS);
      ASSERT_EQ(aclrtMemPoolFreeAsync(memory, stream), ACL_SUCCESS) << why();
    }
    ASSERT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS) << why();
    for (int i = 0; i < 2 * kRounds; ++i) {
      ASSERT_EQ(seen[i], static_cast<char>(i / 2)) << i;
    }
    ASSERT_EQ(aclrtFreeHost(seen), ACL_SUCCESS);
    ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  };
  std::thread other([&] { work(b_, 2); });
  work(a_, 1);
  other.join();
}

}  // namespace
}  // namespace canopy::test
