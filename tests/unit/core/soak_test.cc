// 100 million tasks of all the common kinds, on streams of two devices: the counters are exact at
// the end, and neither memory nor descriptors pile up. CANOPY_SOAK_TASKS changes the number.
#include "canopy/kernel.h"
#include "runtime/base/env.h"
#include "tests/support/process_figures.h"
#include "tests/unit/api/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>

namespace {

__global__ __aicore__ void count(uint64_t* counter) { ++*counter; }
CANOPY_KERNEL(count)

__global__ __aicore__ void count_blocks(uint64_t* counters) {
  SyncAll();
  ++counters[GetBlockIdx()];
}
CANOPY_KERNEL(count_blocks)

}  // namespace

namespace canopy::test {
namespace {

constexpr size_t kStreams = 8;  // even ones on device 0, odd ones on device 1
constexpr size_t kBlocks = 4;
constexpr uint64_t kTasksOfALap = 16 * kStreams;
constexpr uint64_t kLapsOfARound = 5'000;
constexpr size_t kMostStacks = kStreams * kBlocks * 4;  // by executors and spares

// A stream's counters, in its device's memory.
struct Cells {
  uint64_t runs;
  uint64_t copy;  // of runs, by the stream's copies
  uint64_t word;  // by its value writes
  uint64_t blocks[kBlocks];
};

struct Lane {
  int device;
  aclrtStream stream;
  Cells* cells;
  aclrtEvent event;        // recorded every lap
  aclrtNotify notify;      // recorded and waited for every lap
  aclrtCntNotify counter;  // raised by a neighbour every lap
  std::atomic<uint64_t> calls{0};
};

class Soak : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    for (int device : {1, 0}) {
      ACL_OK(aclrtSetDevice(device));
      ACL_OK(aclrtDeviceEnablePeerAccess(1 - device, 0));
    }
    for (size_t i = 0; i < kStreams; ++i) {
      Lane& lane = lanes_[i];
      lane.device = static_cast<int>(i % 2);
      ACL_OK(aclrtSetDevice(lane.device));
      void* memory = nullptr;
      ACL_OK(aclrtMalloc(&memory, sizeof *lane.cells, ACL_MEM_MALLOC_HUGE_FIRST));
      ACL_OK(aclrtMemset(memory, sizeof *lane.cells, 0, sizeof *lane.cells));
      lane.cells = static_cast<Cells*>(memory);
      ACL_OK(aclrtCreateStream(&lane.stream));
      ACL_OK(aclrtCreateEventExWithFlag(&lane.event, ACL_EVENT_SYNC));
      ACL_OK(aclrtCreateNotify(&lane.notify, 0));
      ACL_OK(aclrtCntNotifyCreate(&lane.counter, 0));
    }
  }
  // kTasksOfALap tasks: each stream counts, and hands over to its neighbours by an event and a
  // counting notify.
  void lap(uint64_t number) {
    for (size_t i = 0; i < kStreams; ++i) {
      Lane& lane = lanes_[i];
      Lane& next = lanes_[(i + 2) % kStreams];  // of the same device
      ACL_OK(aclrtSetDevice(lane.device));
      for (int run = 0; run < 6; ++run) {
        ACL_OK(launch(count, 1, lane.stream, &lane.cells->runs));
      }
      ACL_OK(launch(count_blocks, kBlocks, lane.stream, lane.cells->blocks));
      ACL_OK(aclrtMemcpyAsync(&lane.cells->copy, 8, &lane.cells->runs, 8,
                              ACL_MEMCPY_DEVICE_TO_DEVICE, lane.stream));
      ACL_OK(aclrtValueWrite(&lane.cells->word, number + 1, 0, lane.stream));
      ACL_OK(aclrtLaunchHostFunc(
          lane.stream,
          [](void* p) {
            static_cast<std::atomic<uint64_t>*>(p)->fetch_add(1, std::memory_order_relaxed);
          },
          &lane.calls));
      ACL_OK(aclrtRecordEvent(lane.event, lane.stream));
      aclrtCntNotifyRecordInfo one{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
      ACL_OK(aclrtCntNotifyRecord(next.counter, lane.stream, &one));
      ACL_OK(aclrtRecordNotify(lane.notify, lane.stream));
      ACL_OK(aclrtWaitAndResetNotify(lane.notify, lane.stream, number % 2 == 0 ? 0 : 100));
      ACL_OK(aclrtStreamWaitEvent(lane.stream, lanes_[(i + kStreams - 1) % kStreams].event));
      ACL_OK(aclrtValueWait(&lane.cells->word, number + 1, ACL_STREAM_WAIT_VALUE_GEQ, lane.stream));
    }
    for (Lane& lane : lanes_) {
      ACL_OK(aclrtSetDevice(lane.device));
      aclrtCntNotifyWaitInfo raised{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE,
                                    static_cast<uint32_t>(number + 1),
                                    number % 2 == 0 ? 0u : 100u,
                                    0,
                                    {}};
      ACL_OK(aclrtCntNotifyWaitWithTimeout(lane.counter, lane.stream, &raised));
    }
  }
  // What programs make and give back now and then.
  void come_and_go() {
    for (int device : {0, 1}) {
      ACL_OK(aclrtSetDevice(device));
      aclrtStream stream = nullptr;
      aclrtEvent event = nullptr;
      void* memory = nullptr;
      ACL_OK(aclrtCreateStream(&stream));
      ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
      ACL_OK(aclrtMalloc(&memory, 3 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
      ACL_OK(aclrtMemsetAsync(memory, 3 << 20, 1, 3 << 20, stream));
      ACL_OK(aclrtRecordEvent(event, stream));
      ACL_OK(aclrtDestroyEvent(event));
      ACL_OK(aclrtDestroyStream(stream));
      ACL_OK(aclrtFree(memory));
    }
  }
  void synchronize() {
    for (Lane& lane : lanes_) {
      ACL_OK(aclrtSetDevice(lane.device));
      ACL_OK(aclrtSynchronizeStreamWithTimeout(lane.stream, 60'000));
    }
  }
  void expect_exact(uint64_t laps) {
    for (const Lane& lane : lanes_) {
      EXPECT_EQ(lane.cells->runs, laps * 6);
      EXPECT_EQ(lane.cells->copy, laps * 6);
      EXPECT_EQ(lane.cells->word, laps);
      EXPECT_EQ(lane.calls.load(), laps);
      for (const uint64_t blocks : lane.cells->blocks) {
        EXPECT_EQ(blocks, laps);
      }
    }
  }

  std::array<Lane, kStreams> lanes_{};
};

TEST_F(Soak, LeavesExactCountersAndNothingElse) {
  const auto tasks = static_cast<uint64_t>(env::integer("CANOPY_SOAK_TASKS").value_or(100'000'000));
  const uint64_t rounds =
      (tasks + kTasksOfALap * kLapsOfARound - 1) / (kTasksOfALap * kLapsOfARound);
  const uint64_t warm = std::max<uint64_t>(1, rounds / 4);
  size_t files = 0;
  size_t maps = 0;
  size_t memory = 0;
  uint64_t laps = 0;
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    for (uint64_t i = 0; i < kLapsOfARound; ++i) {
      lap(laps++);
    }
    come_and_go();
    synchronize();
    expect_exact(laps);
    if (round + 1 == warm) {
      files = open_files();
      maps = mapped_ranges();
      memory = memory_kib();
    }
    if ((round + 1) % warm == 0) {
      fmt::print("{} tasks: {} KiB, {} files, {} maps\n", laps * kTasksOfALap, memory_kib(),
                 open_files(), mapped_ranges());
      std::fflush(stdout);
    }
  }
  EXPECT_EQ(open_files(), files);
  // The stacks of blocks that wait at a time are kept: how many depends on the load of the machine.
  EXPECT_LE(mapped_ranges(), maps + kMostStacks * 2);
  EXPECT_LE(memory_kib(), memory + kMostStacks * 16);
}

}  // namespace
}  // namespace canopy::test
