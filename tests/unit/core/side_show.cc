#include "tests/unit/core/side_show.h"

#include "canopy/kernel.h"
#include "tests/unit/core/conditions.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using Log = canopy::test::SideShow::Log;

__global__ __aicore__ void append_entry(Log* log, uint32_t number) {
  // Relaxed: the entries of a log are of one stream, in its order.
  const uint32_t at = log->count.load(std::memory_order_relaxed);
  log->entries[at % log->entries.size()] = number;
  log->count.store(at + 1, std::memory_order_release);  // pairs with expect()
}
CANOPY_KERNEL(append_entry)

// The last block waits for `word`, the others for the last.
__global__ __aicore__ void wait_all(uint64_t* word, std::atomic<uint32_t>* begun) {
  begun->fetch_add(1, std::memory_order_release);
  if (GetBlockIdx() + 1 == GetBlockNum()) {
    canopy_wait_until(
        [](void* p) {
          return static_cast<int>(
              std::atomic_ref(*static_cast<uint64_t*>(p)).load(std::memory_order_acquire) != 0);
        },
        word, "a side show's word");
  }
  SyncAll();
}
CANOPY_KERNEL(wait_all)

__global__ __aicore__ void fail_now() { canopy_assert(GetBlockNum() == 0); }
CANOPY_KERNEL(fail_now)

}  // namespace

namespace canopy::test {
namespace {

constexpr uint32_t kKernel = 5;
constexpr uint32_t kKinds = kKernel + 1;
constexpr uint32_t kBlocks = 3;

[[noreturn]] void give_up(const std::string& what) {
  const char* text = aclGetRecentErrMsg();
  fmt::print("a side show hangs, waiting for {}: {}\n", what, text == nullptr ? "" : text);
  std::fflush(stdout);
  std::abort();
}

template <class Ready>
void await(Ready&& ready, const char* what) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms());
  while (!ready()) {
    if (std::chrono::steady_clock::now() > until) {
      give_up(what);
    }
    std::this_thread::yield();
  }
}

}  // namespace

void SideShow::must(aclError wanted, aclError code, const char* what) {
  if (code != wanted && failure_.empty()) {
    const char* text = aclGetRecentErrMsg();
    failure_ = fmt::format("a side show: {} returned {}, not {}: {}", what, code, wanted,
                           text == nullptr ? "" : text);
  }
}

void SideShow::synchronize(aclrtStream stream, aclError wanted) {
  const aclError code = aclrtSynchronizeStreamWithTimeout(stream, patience_ms());
  if (code == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
    give_up("a stream");
  }
  must(wanted, code, "a synchronisation");
}

void SideShow::expect(const Log& log, uint32_t count, const char* what) {
  const uint32_t seen = log.count.load(std::memory_order_acquire);
  if (seen != count && failure_.empty()) {
    failure_ = fmt::format("{} tasks of {} {} have run", seen, count, what);
  }
  for (uint32_t i = 0; i < seen && failure_.empty(); ++i) {
    if (log.entries[i] != i) {
      failure_ = fmt::format("task {} of those {} ran as number {}", log.entries[i], what, i);
    }
  }
}

std::string SideShow::run() {
  const uint32_t kind = draw(4);
  if (kind < 2) {
    abort_or_stop();
  } else if (kind == 2) {
    stop_on_failure();
  } else {
    several_waiters();
  }
  return failure_;
}

aclrtStream SideShow::make_stream() {
  aclrtStream stream = nullptr;
  must(aclrtCreateStreamWithConfig(&stream, draw(3), 0), "aclrtCreateStreamWithConfig");
  return stream;
}

void SideShow::append(Log& log, uint32_t count, aclrtStream stream) {
  for (uint32_t i = 0; i < count; ++i) {
    must(launch(append_entry, 1, stream, &log, log.next++), "launching append_entry");
  }
}

// ---- Obstacles.

void SideShow::set_up(Obstacle& obstacle, uint32_t kind) {
  obstacle.kind = kind;
  must(aclrtCreateEventWithFlag(&obstacle.event, ACL_EVENT_EXTERNAL), "aclrtCreateEventWithFlag");
  must(aclrtCreateNotify(&obstacle.notify, 0), "aclrtCreateNotify");
  must(aclrtCntNotifyCreate(&obstacle.counter, 0), "aclrtCntNotifyCreate");
  void* word = nullptr;
  must(aclrtMalloc(&word, sizeof *obstacle.word, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  obstacle.word = static_cast<uint64_t*>(word);
  *obstacle.word = 0;
}

void SideShow::tear_down(Obstacle& obstacle) {
  must(aclrtDestroyEvent(obstacle.event), "aclrtDestroyEvent");
  must(aclrtDestroyNotify(obstacle.notify), "aclrtDestroyNotify");
  must(aclrtCntNotifyDestroy(obstacle.counter), "aclrtCntNotifyDestroy");
  must(aclrtFree(obstacle.word), "aclrtFree");
}

void SideShow::wait_for(Obstacle& obstacle, aclrtStream stream) {
  aclrtCntNotifyWaitInfo at_least_one{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, 1, 0, 0, {}};
  switch (obstacle.kind) {
    case 0:
      return must(aclrtStreamWaitEvent(stream, obstacle.event), "aclrtStreamWaitEvent");
    case 1:
      return must(aclrtStreamWaitEventWithTimeout(stream, obstacle.event, 1'000),
                  "aclrtStreamWaitEventWithTimeout");
    case 2:
      return must(aclrtWaitAndResetNotify(obstacle.notify, stream, draw(2) * 1'000),
                  "aclrtWaitAndResetNotify");
    case 3:
      return must(aclrtCntNotifyWaitWithTimeout(obstacle.counter, stream, &at_least_one),
                  "aclrtCntNotifyWaitWithTimeout");
    case 4:
      return must(aclrtValueWait(obstacle.word, 1, ACL_STREAM_WAIT_VALUE_EQ, stream),
                  "aclrtValueWait");
    default:
      must(launch(wait_all, kBlocks, stream, obstacle.word, &obstacle.begun), "launching wait_all");
  }
}

void SideShow::remove(Obstacle& obstacle, aclrtStream stream) {
  aclrtCntNotifyRecordInfo one{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
  switch (obstacle.kind) {
    case 0:
    case 1:
      return must(aclrtRecordEvent(obstacle.event, stream), "aclrtRecordEvent");
    case 2:
      return must(aclrtRecordNotify(obstacle.notify, stream), "aclrtRecordNotify");
    case 3:
      return must(aclrtCntNotifyRecord(obstacle.counter, stream, &one), "aclrtCntNotifyRecord");
    default:
      must(aclrtValueWrite(obstacle.word, 1, 0, stream), "aclrtValueWrite");
  }
}

// ---- The shows.

// A stream that is stuck behind an obstacle is aborted, or its kernel stopped; another one that
// waits for the same goes on when that comes, and not before.
void SideShow::abort_or_stop() {
  const bool stop = draw(3) == 0;
  Obstacle obstacle;
  set_up(obstacle, stop ? kKernel : draw(kKinds));
  Log log;
  Log others;
  aclrtStream stuck = make_stream();
  aclrtStream other = make_stream();
  aclrtEvent reached = nullptr;
  must(aclrtCreateEventExWithFlag(&reached, ACL_EVENT_SYNC), "aclrtCreateEventExWithFlag");
  const uint32_t before = draw(4);
  const uint32_t behind = draw(4);
  append(log, before, stuck);
  must(aclrtRecordEvent(reached, stuck), "aclrtRecordEvent");
  wait_for(obstacle, stuck);
  wait_for(obstacle, other);
  append(others, 3, other);
  Log dropped;
  append(stop ? log : dropped, behind, stuck);
  must(aclrtSynchronizeEventWithTimeout(reached, patience_ms()),
       "aclrtSynchronizeEventWithTimeout");
  if (stop) {
    await([&] { return obstacle.begun.load(std::memory_order_acquire) == 2 * kBlocks; },
          "both streams' blocks to begin");
    must(aclrtStreamStop(stuck), "aclrtStreamStop");
  } else {
    must(aclrtStreamAbort(stuck), "aclrtStreamAbort");
  }
  append(log, 2, stuck);
  synchronize(stuck);
  expect(log, log.next, stop ? "of a stopped stream" : "of an aborted stream");
  expect(dropped, 0, "that were aborted");
  expect(others, 0, "behind an obstacle");
  remove(obstacle, stuck);
  synchronize(other);
  expect(others, others.next, "of a stream that waited");
  must(aclrtDestroyStream(stuck), "aclrtDestroyStream");
  must(aclrtDestroyStream(other), "aclrtDestroyStream");
  must(aclrtDestroyEvent(reached), "aclrtDestroyEvent");
  tear_down(obstacle);
}

// A kernel fails in a context of which one stream stops on failure: all of its streams do, and
// nobody else's.
void SideShow::stop_on_failure() {
  constexpr int kCode = ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION;
  aclrtContext outside = nullptr;
  must(aclrtGetCurrentContext(&outside), "aclrtGetCurrentContext");
  aclrtStream beside = make_stream();
  aclrtContext inside = nullptr;
  must(aclrtCreateContext(&inside, device_), "aclrtCreateContext");
  std::array<aclrtStream, 2> streams{make_stream(), make_stream()};
  must(aclrtSetStreamFailureMode(streams[draw(2)], ACL_STOP_ON_FAILURE),
       "aclrtSetStreamFailureMode");
  Obstacle start;  // a stopped context refuses what is queued late
  Obstacle never;
  set_up(start, 4);
  set_up(never, 0);
  Log before;
  Log behind;
  Log besides;
  append(before, 3, streams[0]);
  wait_for(start, streams[0]);
  must(launch(fail_now, 1 + draw(3), streams[0]), "launching fail_now");
  append(behind, 1 + draw(3), streams[0]);
  remove(never, streams[0]);
  wait_for(never, streams[1]);
  append(behind, 2, streams[1]);
  must(aclrtSetCurrentContext(outside), "aclrtSetCurrentContext");
  remove(start, beside);
  must(launch(fail_now, 1, beside), "launching fail_now");
  append(besides, 3, beside);
  must(aclrtSetCurrentContext(inside), "aclrtSetCurrentContext");
  synchronize(streams[0], kCode);
  synchronize(streams[1], kCode);
  must(kCode, launch(append_entry, 1, streams[draw(2)], &behind, 0),
       "launching in a stopped context");
  expect(before, before.next, "before a failure");
  expect(behind, 0, "behind a failure that stops");
  must(aclrtDestroyContext(inside), "aclrtDestroyContext");
  must(aclrtSetCurrentContext(outside), "aclrtSetCurrentContext");
  synchronize(beside, kCode);
  expect(besides, besides.next, "behind a failure that does not stop");
  must(aclrtDestroyStream(beside), "aclrtDestroyStream");
  tear_down(start);
  tear_down(never);
}

// Each record of a notify lets one of its waiters go.
void SideShow::several_waiters() {
  constexpr size_t kWaiters = 3;
  Obstacle notify;
  set_up(notify, 2);
  aclrtStream recorder = make_stream();
  std::array<aclrtStream, kWaiters> waiters;
  std::array<Log, kWaiters> logs;
  for (size_t i = 0; i < kWaiters; ++i) {
    waiters[i] = make_stream();
    wait_for(notify, waiters[i]);
    append(logs[i], 1, waiters[i]);
  }
  const auto through = [&] {
    uint32_t count = 0;
    for (const Log& log : logs) {
      count += log.count.load(std::memory_order_acquire);
    }
    return count;
  };
  for (uint32_t records = 1; records <= kWaiters; ++records) {
    if (through() != records - 1 && failure_.empty()) {
      failure_ =
          fmt::format("{} records of a notify have let {} waiters go", records - 1, through());
    }
    remove(notify, recorder);
    synchronize(recorder);
    await([&] { return through() >= records; }, "a notify's waiter to go on");
  }
  for (aclrtStream waiter : waiters) {
    synchronize(waiter);
    must(aclrtDestroyStream(waiter), "aclrtDestroyStream");
  }
  must(aclrtDestroyStream(recorder), "aclrtDestroyStream");
  tear_down(notify);
}

}  // namespace canopy::test
