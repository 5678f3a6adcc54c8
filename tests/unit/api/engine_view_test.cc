// How busy devices are, as another process sees it: here, the same process with another's eyes.
#include "runtime/driver/engine_view.h"
#include "runtime/base/clock.h"
#include "runtime/device/trace_buffer.h"
#include "runtime/driver/host_view.h"
#include "tests/unit/api/gate.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class EngineViewTest : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    auto opened = HostView::open();
    ASSERT_TRUE(opened && *opened) << error_text::newest();
    const auto owners = (**opened).owners();
    const auto self = std::find_if(owners.begin(), owners.end(), [](const HostOwner& one) { return one.pid == ::getpid(); });
    ASSERT_NE(self, owners.end());
    owner_ = *self;
    view_ = EngineView::open(owner_);
    ASSERT_TRUE(view_);
  }
  std::optional<EngineReading> reading(int device) {
    for (EngineReading& one : view_->read()) {
      if (one.host_device == device) {
        return std::move(one);
      }
    }
    return std::nullopt;
  }
  // Of device 0, over the time that body() takes.
  template <class Body>
  EngineShares shares_while(Body&& body) {
    view_->watch(monotonic_ns() + 1'000'000);
    const auto before = reading(0);
    body();
    const auto after = reading(0);
    EXPECT_TRUE(before && after);
    return shares_between(*before, *after);
  }
  static void pass_ms(uint64_t ms) {
    const uint64_t end = monotonic_ns() + ms * 1'000'000;
    while (monotonic_ns() < end) {
      std::this_thread::yield();
    }
  }

  HostOwner owner_;
  std::optional<EngineView> view_;
};

TEST_F(EngineViewTest, IdleDeviceIsNotBusy) {
  const EngineShares shares = shares_while([] { pass_ms(3); });
  EXPECT_EQ(shares.cube + shares.vector + shares.aicpu + shares.dma, 0);
}

TEST_F(EngineViewTest, KernelThatRanBeforeAnybodyLookedCounts) {
  const aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  const OpenAtEnd open(gate, stream);
  const auto busy = [&] {
    const EngineShares shares = shares_while([] { pass_ms(5); });
    return shares.cube * 24 + shares.vector * 48;  // in cores
  };
  double cores = 0;
  for (int tries = 0; tries < 100 && cores < 0.9; ++tries) {  // until the kernel has begun
    cores = busy();
  }
  EXPECT_NEAR(cores, 1, 0.1);
}

TEST_F(EngineViewTest, CopiesOfStreamsCount) {
  constexpr size_t kBytes = size_t{32} << 20;
  void* from = zeroed_memory(kBytes);
  void* to = zeroed_memory(kBytes);
  const aclrtStream stream = make_stream();
  const EngineShares shares = shares_while([&] {
    for (int i = 0; i < 4; ++i) {
      ACL_OK(aclrtMemcpyAsync(to, kBytes, from, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    }
    ACL_OK(aclrtSynchronizeStream(stream));
  });
  EXPECT_GT(shares.dma, 0.3);
  EXPECT_LE(shares.dma, 1);
}

// Also without anybody who looked when it began.
TEST_F(EngineViewTest, ACopyThatRunsAlreadyCounts) {
  constexpr size_t kBytes = size_t{112} << 20;  // 7 ms at 16 GB/s
  void* from = zeroed_memory(kBytes);
  void* to = zeroed_memory(kBytes);
  const aclrtStream stream = make_stream();
  ACL_OK(aclrtSynchronizeDevice());
  double dma = 0;
  for (int tries = 0; tries < 100 && dma < 0.9; ++tries) {  // until it has begun, and does not end, before the look
    ACL_OK(aclrtMemcpyAsync(to, kBytes, from, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    pass_ms(1);
    dma = shares_while([] { pass_ms(2); }).dma;
    ACL_OK(aclrtSynchronizeStream(stream));
  }
  EXPECT_GT(dma, 0.9);
}

// Whoever makes a copy, and of whatever form, a copy engine is busy with it.
class CopyLoad : public EngineViewTest {
 protected:
  static constexpr size_t kBytes = size_t{32} << 20;
  void SetUp() override {
    EngineViewTest::SetUp();
    mine_ = zeroed_memory(kBytes);
    other_ = zeroed_memory(kBytes);
    stream_ = make_stream();
    ACL_OK(aclrtMallocHost(&pinned_, kBytes));
  }
  void TearDown() override {
    ACL_OK(aclrtFreeHost(pinned_));
    EngineViewTest::TearDown();
  }
  // That four of them, one after the other, keep one engine of device 0 busy for most of the time.
  template <class Copy>
  void expect_counted(Copy&& copy) {
    const EngineShares shares = shares_while([&] {
      for (int i = 0; i < 4; ++i) {
        ACL_OK(copy());
      }
      ACL_OK(aclrtSynchronizeStream(stream_));
    });
    EXPECT_GT(shares.dma, 0.3);
    EXPECT_LE(shares.dma, 1);
  }
  template <class Run>
  void expect_batch_counted(Run&& run) {
    void* dsts[] = {other_, static_cast<char*>(other_) + kBytes / 2};
    void* srcs[] = {mine_, static_cast<char*>(mine_) + kBytes / 2};
    size_t sizes[] = {kBytes / 2, kBytes / 2};
    aclrtMemcpyBatchAttr attr = {{0, ACL_MEM_LOCATION_TYPE_DEVICE}, {0, ACL_MEM_LOCATION_TYPE_DEVICE}, {}};
    size_t index = 0;
    size_t failed = 0;
    expect_counted([&] { return run(dsts, sizes, srcs, sizes, &attr, &index, &failed); });
  }

  static constexpr size_t kPitch = kBytes / 1024;
  static constexpr size_t kWidth = kPitch - 64;
  void* mine_ = nullptr;
  void* other_ = nullptr;
  void* pinned_ = nullptr;
  aclrtStream stream_ = nullptr;
  std::vector<char> pageable_ = std::vector<char>(kBytes);
};

TEST_F(CopyLoad, HostToDeviceAndBack) {
  expect_counted([&] { return aclrtMemcpy(mine_, kBytes, pageable_.data(), kBytes, ACL_MEMCPY_HOST_TO_DEVICE); });
  expect_counted([&] { return aclrtMemcpy(pageable_.data(), kBytes, mine_, kBytes, ACL_MEMCPY_DEVICE_TO_HOST); });
  expect_counted([&] { return aclrtMemcpyAsync(mine_, kBytes, pageable_.data(), kBytes, ACL_MEMCPY_DEFAULT, stream_); });
  expect_counted([&] { return aclrtMemcpyAsync(pinned_, kBytes, mine_, kBytes, ACL_MEMCPY_DEFAULT, stream_); });
}

TEST_F(CopyLoad, Rows) {
  expect_counted([&] { return aclrtMemcpy2d(other_, kPitch, mine_, kPitch, kWidth, 1024, ACL_MEMCPY_DEFAULT); });
  expect_counted([&] { return aclrtMemcpy2dAsync(other_, kPitch, mine_, kPitch, kWidth, 1024, ACL_MEMCPY_DEFAULT, stream_); });
}

TEST_F(CopyLoad, Batches) {
  expect_batch_counted([](void** dsts, size_t* maxs, void** srcs, size_t* sizes, auto* attr, size_t* index, size_t* failed) {
    return aclrtMemcpyBatch(dsts, maxs, srcs, sizes, 2, attr, index, 1, failed);
  });
  expect_batch_counted([&](void** dsts, size_t* maxs, void** srcs, size_t* sizes, auto* attr, size_t* index, size_t* failed) {
    return aclrtMemcpyBatchAsync(dsts, maxs, srcs, sizes, 2, attr, index, 1, failed, stream_);
  });
}

TEST_F(CopyLoad, StagedBetweenDevices) {
  ACL_OK(aclrtSetDevice(2));
  void* staged = zeroed_memory(kBytes);
  ACL_OK(aclrtDeviceEnablePeerAccess(0, 0));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtDeviceEnablePeerAccess(2, 0));
  expect_counted([&] { return aclrtMemcpy(mine_, kBytes, staged, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE); });
  expect_counted([&] { return aclrtMemcpyAsync(mine_, kBytes, staged, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_); });
  expect_counted([&] { return aclrtMemcpyAsync(staged, kBytes, mine_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_); });
}

TEST_F(CopyLoad, Fills) {
  expect_counted([&] { return aclrtMemset(mine_, kBytes, 1, kBytes); });
  expect_counted([&] { return aclrtMemsetAsync(mine_, kBytes, 1, kBytes, stream_); });
}

// The host's own copies are none of a device's.
TEST_F(CopyLoad, HostToHostIsNobodys) {
  const EngineShares shares = shares_while([&] {
    ACL_OK(aclrtMemcpy(pinned_, kBytes, pageable_.data(), kBytes, ACL_MEMCPY_HOST_TO_HOST));
  });
  EXPECT_EQ(shares.dma, 0);
}

TEST_F(EngineViewTest, ClocksStopWithTheLastOneWhoLooks) {
  auto other = EngineView::open(owner_);
  ASSERT_TRUE(other);
  const uint64_t first = monotonic_ns() + 2'000'000;
  const uint64_t second = first + 5'000'000;
  view_->watch(first);
  other->watch(second);
  EXPECT_TRUE(TraceBuffer::cores_watched());
  while (monotonic_ns() < first) {
    std::this_thread::yield();
  }
  view_->leave();
  EXPECT_TRUE(TraceBuffer::cores_watched() || monotonic_ns() >= second);
  while (monotonic_ns() < second) {
    std::this_thread::yield();
  }
  other->leave();
  const bool by_this_process = (g_observer_page.observers.load() & ObserverPage::kClocks) != 0;
  EXPECT_EQ(TraceBuffer::cores_watched(), by_this_process);
}

TEST_F(EngineViewTest, EachDeviceHasItsOwnReading) {
  ACL_OK(aclrtSetDevice(1));
  ASSERT_TRUE(reading(0));
  ASSERT_TRUE(reading(1));
  EXPECT_EQ(reading(1)->cores.size(), 72u);
  EXPECT_EQ(reading(1)->vector_cores, 48u);
  EXPECT_EQ(reading(1)->aicpu_cores, 6u);
}

TEST_F(EngineViewTest, FileThatIsAnotherIsLeftAlone) {
  HostOwner wrong = owner_;
  wrong.stats_inode += 1;
  EXPECT_FALSE(EngineView::open(wrong));
  wrong = owner_;
  wrong.stats_fd = 0;
  EXPECT_FALSE(EngineView::open(wrong));
  wrong = owner_;
  wrong.pid = 1;
  EXPECT_FALSE(EngineView::open(wrong));
  wrong = owner_;
  wrong.stats_inode = 0;
  EXPECT_FALSE(EngineView::open(wrong));
}

TEST(EngineShares, AreOfTheCoresOfAKind) {
  EngineReading before;
  before.at = 1000;
  before.vector_cores = 2;
  before.aicpu_cores = 4;
  before.cores = {0, 100, 7, 7};
  EngineReading after = before;
  after.at = 2000;
  after.cores = {500, 1100, 7, 1007};
  after.aicpu = 1000;
  after.dma = 250;
  const EngineShares shares = shares_between(before, after);
  EXPECT_DOUBLE_EQ(shares.vector, 0.75);
  EXPECT_DOUBLE_EQ(shares.cube, 0.5);
  EXPECT_DOUBLE_EQ(shares.aicpu, 0.25);
  EXPECT_DOUBLE_EQ(shares.dma, 0.25);
}

TEST(EngineShares, NonsenseBetweenTwoStepsOfAClockIsNone) {
  EngineReading before;
  before.at = 1000;
  before.vector_cores = 1;
  before.aicpu_cores = 1;
  before.cores = {900};
  EngineReading after = before;
  after.at = 2000;
  after.cores = {100};
  after.aicpu = ~uint64_t{0} / 2;
  const EngineShares shares = shares_between(before, after);
  EXPECT_EQ(shares.vector + shares.aicpu, 0);
}

}  // namespace
}  // namespace canopy::test
