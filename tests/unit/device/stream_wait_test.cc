// Waits of streams that are not for a plain record: notifies, limits, words in memory.
#include "tests/unit/device/rig.h"

#include "runtime/base/clock.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/timed_event_wait.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

void post_record(RigStream& stream, NotifyCell* cell, NotifyChange change, uint32_t value) {
  cell->acquire_reference();
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::notify_record;
    sqe.body.notify_record = {cell, value, change};
  });
}

void post_wait(RigStream& stream, NotifyCell* cell, NotifyTest test, uint32_t value, bool clear,
               uint64_t limit_ns = 0) {
  cell->acquire_reference();
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::notify_wait;
    sqe.body.notify_wait = {cell, "a test's notify", limit_ns, 5, value, test, clear};
  });
}

void post_timed_wait(RigStream& stream, EventCell* cell, uint64_t limit_ns) {
  cell->add_shares(EventCell::kWait);
  auto* wait = new TimedEventWait(cell, 17, limit_ns);
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::timed_event_wait;
    sqe.body.timed_event = {wait, limit_ns, cell, 17, 0};
  });
}

void post_value_wait(RigStream& stream, uint64_t* word, uint64_t value) {
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::value_wait;
    sqe.body.value = {word, value, ValueTest::equal, nullptr, 0};
  });
}

void count(void* argument) { ++*static_cast<uint64_t*>(argument); }

class StreamWait : public testing::TestWithParam<uint32_t> {};

// Every lap needs every hand-over: one that is lost hangs, one that is made twice shows as a wrong
// count.
TEST_P(StreamWait, NotifiesHandARingOfStreamsOn) {
  Rig rig({.executors = GetParam()});
  constexpr uint32_t kStreams = 8;
  constexpr uint32_t kLaps = 20'000 / kSlowdown;
  std::vector<NotifyCell*> cells;
  std::vector<std::unique_ptr<RigStream>> streams;
  for (uint32_t i = 0; i < kStreams; ++i) {
    cells.push_back(NotifyCell::make());
    streams.push_back(std::make_unique<RigStream>(rig));
  }
  RigStream starter(rig);
  post_record(starter, cells[0], NotifyChange::set, 1);
  uint64_t visits = 0;  // a plain word: the notifies are its only protection
  {
    std::vector<std::jthread> threads;
    for (uint32_t i = 0; i < kStreams; ++i) {
      threads.emplace_back([&, i] {
        for (uint32_t lap = 0; lap < kLaps; ++lap) {
          post_wait(*streams[i], cells[i], NotifyTest::equal, 1, true,
                    (lap + i) % 2 == 0 ? 0 : 1'000 * kSecond);
          streams[i]->call(&count, &visits);
          post_record(*streams[i], cells[(i + 1) % kStreams], NotifyChange::set, 1);
        }
      });
    }
  }
  for (auto& stream : streams) {
    stream->sync();
  }
  EXPECT_EQ(visits, uint64_t{kStreams} * kLaps);
  EXPECT_EQ(rig.scheduler.wait_timer().armed(), 0u);
  for (NotifyCell* cell : cells) {
    cell->drop_reference();
  }
}

TEST_P(StreamWait, ExecutorsServeOthersWhileStreamsWait) {
  Rig rig({.executors = GetParam()});
  alignas(8) uint64_t word = 0;
  auto* cell = NotifyCell::make();
  EventCell* event = *rig.cores.events().take(EventCell::kHolder + EventCell::kRecord);
  std::vector<std::unique_ptr<RigStream>> waiting;
  for (int i = 0; i < 30; ++i) {
    waiting.push_back(std::make_unique<RigStream>(rig));
    switch (i % 3) {
      case 0:
        post_value_wait(*waiting.back(), &word, 1);
        break;
      case 1:
        post_wait(*waiting.back(), cell, NotifyTest::at_least, 1, false, 1'000 * kSecond);
        break;
      default:
        post_timed_wait(*waiting.back(), event, 1'000 * kSecond);
    }
  }
  uint64_t ran = 0;
  RigStream busy(rig);
  for (int i = 0; i < 1'000; ++i) {
    busy.call(&count, &ran);
  }
  busy.sync();
  EXPECT_EQ(ran, 1'000u);
  busy.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::value_write;
    sqe.body.value = {&word, 1, ValueTest::equal, nullptr, 0};
  });
  post_record(busy, cell, NotifyChange::set, 1);
  busy.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = 0;
    sqe.body.event.cell = event;
  });
  for (auto& stream : waiting) {
    stream->sync();
    EXPECT_EQ(stream->strand().take_error(), 0);
  }
  event->drop_reference();
  cell->drop_reference();
  EXPECT_EQ(rig.cores.events().in_use(), 0u);
}

// Limits that run out while the record comes: one of the two ends each wait, never both, never
// none.
TEST_P(StreamWait, ARecordAndALimitThatRaceEndAWaitOnce) {
  Rig rig({.executors = GetParam()});
  RigStream waiting(rig);
  RigStream recording(rig);
  uint64_t ran = 0;
  uint64_t expired = 0;
  constexpr uint64_t kRounds = 2'000 / kSlowdown;
  constexpr uint64_t kAtMost = 50 * kRounds;
  uint64_t limit_ns = 100'000;
  uint64_t rounds = 0;
  // On, until each has won.
  for (; rounds < kRounds || ((expired == 0 || expired == rounds) && rounds < kAtMost); ++rounds) {
    auto* cell = NotifyCell::make();
    EventCell* event = *rig.cores.events().take(EventCell::kHolder + EventCell::kRecord);
    const uint64_t before = waiting.strand().completed();
    post_wait(waiting, cell, NotifyTest::equal, 1, true, limit_ns);
    waiting.call(&count, &ran);
    post_timed_wait(waiting, event, limit_ns / 2);
    waiting.call(&count, &ran);
    rig.await(
        [&] {
          return rig.scheduler.wait_timer().armed() != 0 || waiting.strand().completed() != before;
        },
        nullptr, "the stream to get to its wait");
    struct Until {
      uint64_t ns;
    } until{monotonic_ns() + 10'000};
    recording.call(
        [](void* p) {
          while (monotonic_ns() < static_cast<Until*>(p)->ns) {
          }
        },
        &until);
    post_record(recording, cell, NotifyChange::set, 1);
    recording.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::event_record;
      sqe.timed = 0;
      sqe.body.event.cell = event;
    });
    recording.sync();
    waiting.sync();
    ASSERT_EQ(ran, 2 * (rounds + 1));
    const bool limit_won = waiting.strand().take_error() == kWaitTimeout;
    expired += limit_won;
    // Whichever was first has it harder next time: so the two stay close to each other.
    limit_ns = limit_won ? limit_ns + limit_ns / 16 + 500 : limit_ns - limit_ns / 16;
    cell->drop_reference();
    event->drop_reference();
    // An executor may be a few instructions from letting go of a wait that has run out.
    rig.await([&] { return rig.cores.events().in_use() == 0; }, nullptr,
              "the record to be given back");
  }
  EXPECT_GT(expired, 0u) << "the limits never won: this has tested nothing";
  EXPECT_LT(expired, rounds) << "the records never won: this has tested nothing";
  EXPECT_EQ(rig.scheduler.wait_timer().armed(), 0u);
}

TEST(StreamWaits, AnExpiredWaitLeavesItsSentenceOnce) {
  Rig rig;
  RigStream stream(rig);
  auto* cell = NotifyCell::make();
  post_wait(stream, cell, NotifyTest::above, 9, false, kSecond);
  stream.sync();
  std::string sentence;
  EXPECT_EQ(stream.strand().take_error(&sentence), kWaitTimeout);
  EXPECT_EQ(sentence,
            "the wait for a test's notify 5 ran past its limit of 1 s: above 9 wanted, 0 seen");
  EXPECT_EQ(stream.strand().take_error(&sentence), 0);
  cell->drop_reference();
}

TEST(StreamWaits, AValueIsSeenWhileItsExecutorRunsAnotherStream) {
  Rig rig({.executors = 1});
  RigStream waiting(rig);
  RigStream busy(rig);
  alignas(8) uint64_t word = 0;
  struct Seen {
    std::atomic<bool> went_on{false};
    uint64_t after = 0;  // tasks of the busy stream that ran behind the one that went on
  } seen;
  post_value_wait(waiting, &word, 1);
  waiting.call([](void* p) { static_cast<Seen*>(p)->went_on.store(true); }, &seen);
  busy.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::value_write;
    sqe.body.value = {&word, 1, ValueTest::equal, nullptr, 0};
  });
  for (int i = 0; i < 1'000; ++i) {
    busy.call(
        [](void* p) {
          const uint64_t begin = monotonic_ns();
          while (monotonic_ns() - begin < 20'000) {
          }
          static_cast<Seen*>(p)->after += static_cast<Seen*>(p)->went_on.load();
        },
        &seen);
  }
  busy.sync();
  waiting.sync();
  EXPECT_GT(seen.after, 0u) << "the stream that waits for a value has to take its turn";
}

TEST(StreamWaits, AHangReportNamesTheStreamThatWaitsForAValue) {
  Rig rig;
  RigStream stream(rig);
  alignas(8) uint64_t word = 0;
  post_value_wait(stream, &word, 1);
  rig.await(
      [&] {
        return describe_waits().find("stream 1: waits for the word at ") !=
               std::string::npos;
      },
      nullptr, "the report to name the stream");
  std::atomic_ref(word).store(1, std::memory_order_release);
  stream.sync();
  EXPECT_EQ(describe_waits(), "");
}

INSTANTIATE_TEST_SUITE_P(Executors, StreamWait, testing::Values(1u, 2u, 4u));

// What a wait that has run out holds of its event's record goes back although the record may never come.
TEST_P(StreamWait, ThatRanOutGoesOffTheRecordsList) {
  Rig rig({.executors = GetParam()});
  for (const bool lost_first : {false, true}) {
    EventCell* cell = *rig.cores.events().take(EventCell::kHolder + EventCell::kRecord);
    RigStream patient(rig);  // stays on the list beside those that run out
    post_timed_wait(patient, cell, 900'000'000'000);
    const auto lose = [&] { cell->lose_record(); };
    if (lost_first) {
      lose();
    }
    std::vector<std::unique_ptr<RigStream>> streams;
    for (int i = 0; i < 200 / kSlowdown; ++i) {
      streams.push_back(std::make_unique<RigStream>(rig));
      post_timed_wait(*streams.back(), cell, i % 4 == 0 ? 1 : 50'000);
    }
    for (const auto& stream : streams) {
      stream->sync();
      EXPECT_EQ(stream->strand().take_error(), kWaitTimeout);
    }
    const uint64_t left = EventCell::kHolder + EventCell::kWait + (lost_first ? 0 : EventCell::kRecord);
    rig.await([&] { return cell->shares.load() == left; }, nullptr, "waits that have run out to leave their event");
    if (!lost_first) {
      lose();
    }
    cell->release_waiters();
    patient.sync();
    EXPECT_EQ(patient.strand().take_error(), 0);
    cell->drop_reference();
  }
  EXPECT_EQ(rig.cores.events().in_use(), 0u);
  EXPECT_EQ(rig.scheduler.wait_timer().armed(), 0u);
}

}  // namespace
}  // namespace canopy::test
