// Tasks that are dropped: wherever their stream is, it gets past them.
#include "runtime/device/notify_cell.h"
#include "runtime/device/timed_event_wait.h"
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

namespace canopy::test {
namespace {

void add_one(void* counter) { static_cast<std::atomic<int>*>(counter)->fetch_add(1); }

class Drop : public testing::Test {
 protected:
  // Everything that is queued ends without running, and the stream is usable again.
  void drop_all(RigStream& stream) {
    Strand& strand = stream.strand();
    strand.drop_below(Strand::kDropAll);
    rig_.scheduler.orders().add(&strand);
    stream.sync();
    strand.drop_below(strand.submitted());
    rig_.scheduler.orders().remove(&strand);
  }
  void drop_head(RigStream& stream) {
    Strand& strand = stream.strand();
    const uint64_t behind = strand.completed() + 1;
    strand.drop_below(behind);
    rig_.scheduler.orders().add(&strand);
    rig_.await([&] { return strand.reached(behind); }, &strand.bell(), "the head to be dropped");
    rig_.scheduler.orders().remove(&strand);
  }
  void await_parked(RigStream& stream) {
    // The wait is the only task: who parked it runs nothing else.
    while (rig_.scheduler.executor(0).state() == Executor::State::running &&
           !stream.strand().idle()) {
      std::this_thread::yield();
    }
  }
  void expect_usable(RigStream& stream) {
    std::atomic<int> ran{0};
    stream.call(&add_one, &ran);
    stream.sync();
    EXPECT_EQ(ran.load(), 1);
  }

  Rig rig_;
  std::atomic<int> dropped_{0};  // counts tasks that should not have run
};

TEST_F(Drop, TakesAStreamOffItsWaitForAnEventAndLeavesOthersThere) {
  for (int round = 0; round < 200 / kSlowdown; ++round) {
    RigStream recorder(rig_);
    RigStream other(rig_);
    RigStream stream(rig_);
    EventCell* cell = *rig_.cores.events().take(EventCell::kHolder + EventCell::kRecord);
    std::atomic<int> ran{0};
    other.wait(cell);
    other.call(&add_one, &ran);
    stream.wait(cell);
    stream.call(&add_one, &dropped_);
    if (round % 2 == 0) {
      await_parked(stream);
    }
    drop_all(stream);
    EXPECT_FALSE(other.strand().reached(1));
    recorder.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::event_record;
      sqe.timed = 0;
      sqe.body.event.cell = cell;
    });
    other.sync();
    EXPECT_EQ(ran.load(), 1);
    cell->drop_reference();
    expect_usable(stream);
  }
  EXPECT_EQ(dropped_.load(), 0);
  EXPECT_EQ(rig_.cores.events().in_use(), 0u) << "all shares have been given back";
}

TEST_F(Drop, RacesWithTheRecordOfTheEvent) {
  for (int round = 0; round < 2'000 / kSlowdown; ++round) {
    RigStream recorder(rig_);
    RigStream other(rig_);
    RigStream stream(rig_);
    EventCell* cell = *rig_.cores.events().take(EventCell::kHolder + EventCell::kRecord);
    other.wait(cell);
    stream.wait(cell);
    recorder.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::event_record;
      sqe.timed = 0;
      sqe.body.event.cell = cell;
    });
    drop_all(stream);
    other.sync();
    cell->drop_reference();
    recorder.sync();
  }
  EXPECT_EQ(rig_.cores.events().in_use(), 0u);
}

TEST_F(Drop, TakesAStreamOffAWaitWithALimit) {
  for (int round = 0; round < 200 / kSlowdown; ++round) {
    RigStream stream(rig_);
    EventCell* cell =
        *rig_.cores.events().take(EventCell::kHolder + EventCell::kRecord + EventCell::kWait);
    const uint64_t limit_ns =
        round % 2 == 0 ? 900'000'000'000 : 20'000;  // the latter races with the drop
    auto* wait = new TimedEventWait(cell, 17, limit_ns);
    stream.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::timed_event_wait;
      sqe.body.timed_event = {wait, limit_ns, cell, 17, 0};
    });
    drop_all(stream);
    stream.strand().take_error();
    cell->lose_record();
    cell->drop_reference();
    expect_usable(stream);
  }
  EXPECT_EQ(rig_.scheduler.wait_timer().armed(), 0u);
}

TEST_F(Drop, TakesAStreamOffItsWaitForANotify) {
  for (int round = 0; round < 200 / kSlowdown; ++round) {
    RigStream stream(rig_);
    RigStream other(rig_);
    NotifyCell* cell = NotifyCell::make();
    std::atomic<int> ran{0};
    for (RigStream* each : {&other, &stream}) {
      cell->acquire_reference();
      each->post([&](Sqe& sqe) {
        sqe.kind = SqeKind::notify_wait;
        sqe.body.notify_wait = {
            cell, "a test's notify", round % 2 == 0 ? 0 : 900'000'000'000u, 5, 1, NotifyTest::equal,
            true};
      });
      each->call(&add_one, each == &other ? &ran : &dropped_);
    }
    drop_all(stream);
    EXPECT_EQ(ran.load(), 0);
    cell->acquire_reference();
    stream.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::notify_record;
      sqe.body.notify_record = {cell, 1, NotifyChange::set};
    });
    other.sync();
    EXPECT_EQ(ran.load(), 1) << "the notify was not taken by the wait that is gone";
    cell->drop_reference();
  }
  EXPECT_EQ(dropped_.load(), 0);
  EXPECT_EQ(rig_.scheduler.wait_timer().armed(), 0u);
}

TEST_F(Drop, EndsAWaitForAValue) {
  RigStream stream(rig_);
  uint64_t word = 0;
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::value_wait;
    sqe.body.value = {&word, 1, ValueTest::equal, nullptr, 0};
  });
  stream.call(&add_one, &dropped_);
  await_parked(stream);
  drop_all(stream);
  EXPECT_EQ(dropped_.load(), 0);
  expect_usable(stream);
}

std::atomic<int> g_ended{0};
std::atomic<int> g_begun{0};

void wait_in_sync_all(const void*) {
  g_begun.fetch_add(1);
  if (canopy_block_idx() == 0) {
    canopy_wait_until([](void*) { return 0; }, nullptr, "what never comes");
  }
  canopy_sync_all();
  g_ended.fetch_add(1);
}

void yield_for_ever(const void*) {
  g_begun.fetch_add(1);
  for (;;) {
    canopy_yield();
  }
}

TEST_F(Drop, EndsTheBlocksOfAKernelThatWait) {
  for (auto [entry, blocks] : {std::pair{&wait_in_sync_all, 8u},
                               {&wait_in_sync_all, 1u},
                               {&yield_for_ever, 1u},
                               {&yield_for_ever, 60u}}) {
    RigStream stream(rig_);
    const KernelImage image = image_of("a test's kernel", entry);
    g_begun = 0;
    g_ended = 0;
    stream.kernel(image, blocks, nullptr);
    stream.call(&add_one, &dropped_);
    rig_.await([] { return g_begun.load() != 0; }, nullptr, "a block to begin");
    drop_all(stream);
    EXPECT_EQ(g_ended.load(), 0);
    EXPECT_EQ(stream.strand().take_error(), 0) << "what was dropped has not failed";
    expect_usable(stream);
  }
  EXPECT_EQ(dropped_.load(), 0);
}

TEST_F(Drop, OfTheHeadOnlyLeavesTheRest) {
  RigStream stream(rig_);
  EventCell* cell = *rig_.cores.events().take(EventCell::kHolder + EventCell::kRecord);
  std::atomic<int> ran{0};
  stream.wait(cell);
  stream.call(&add_one, &ran);
  stream.wait(cell);
  drop_head(stream);
  // Completed, and not only run: what is dropped next is the wait behind it.
  rig_.await([&] { return stream.strand().reached(2); }, &stream.strand().bell(), "the task behind the dropped one");
  EXPECT_EQ(ran.load(), 1);
  EXPECT_FALSE(stream.strand().reached(3));
  drop_head(stream);
  stream.sync();
  cell->lose_record();
  cell->drop_reference();
}

struct Rounds {
  uint32_t count;
  std::atomic<int> passed{0};
};

void sync_often(const void* argument) {
  auto& rounds = **static_cast<Rounds* const*>(argument);
  for (uint32_t i = 0; i < rounds.count; ++i) {
    canopy_sync_all();
    rounds.passed.fetch_add(1);
  }
}

// Orders for one stream wake blocks of another only by mistake; those of a head that is over by now
// do.
TEST_F(Drop, ABlockThatIsWokenInVainGoesOnWaitingInSyncAll) {
  RigStream stream(rig_);
  Rounds rounds{20'000 / kSlowdown};
  Rounds* argument = &rounds;
  const KernelImage image = image_of("sync_often", &sync_often);
  stream.kernel(image, 8, &argument);
  while (!stream.strand().reached(1)) {
    rig_.scheduler.release_waiting(stream.strand().launch());
    std::this_thread::yield();
  }
  EXPECT_EQ(rounds.passed.load(), static_cast<int>(8 * rounds.count));
}

TEST_F(Drop, OfARecordTellsTheHostAndLetsNobodyGo) {
  RigStream recorder(rig_);
  RigStream stream(rig_);
  std::atomic<bool> open{false};
  recorder.call(
      [](void* flag) {
        while (!static_cast<std::atomic<bool>*>(flag)->load()) {
          std::this_thread::yield();
        }
      },
      &open);
  EventCell* cell = recorder.record();
  stream.wait(cell);
  recorder.strand().drop_below(Strand::kDropAll);
  rig_.scheduler.orders().add(&recorder.strand());
  open.store(true);
  rig_.await([&] { return cell->lost.load(); }, &cell->bell, "the record to be lost");
  recorder.sync();
  rig_.scheduler.orders().remove(&recorder.strand());
  EXPECT_FALSE(cell->complete());
  EXPECT_FALSE(stream.strand().reached(1));
  drop_all(stream);
  cell->drop_reference();
  EXPECT_EQ(rig_.cores.events().in_use(), 0u);
}

TEST_F(Drop, OfStoredTasksLeavesAStreamThatStoresAgain) {
  Strand strand(rig_.scheduler, rig_.cores, 7, 0, true);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < round * 100; ++i) {
      Sqe* sqe = strand.reserve();
      sqe->kind = SqeKind::call;
      sqe->args_end = 0;
      sqe->heap_args = nullptr;
      sqe->body.call = {&add_one, &dropped_, "a stored call"};
      strand.publish();
    }
    EXPECT_EQ(strand.submitted() - strand.completed(), static_cast<uint64_t>(round) * 100);
    strand.discard_stored();
    EXPECT_EQ(strand.submitted(), strand.completed());
  }
  EXPECT_EQ(dropped_.load(), 0);
}

}  // namespace
}  // namespace canopy::test
