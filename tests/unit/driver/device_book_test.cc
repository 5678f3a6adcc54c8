#include "runtime/driver/device_book.h"

#include "runtime/base/mapping.h"
#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace canopy {
namespace {

using host_table::DeviceArea;
using host_table::kEvents;
using host_table::kEventsOfOne;
using test::ChildProcess;
using test::Line;

// An area that children share.
class DeviceBookTest : public ::testing::Test {
 protected:
  DeviceBookTest() {
    void* memory = ::mmap(nullptr, sizeof(DeviceArea), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    area_ = static_cast<DeviceArea*>(memory);
  }
  ~DeviceBookTest() override { ::munmap(area_, sizeof(DeviceArea)); }

  DeviceBook book() const { return DeviceBook(area_); }
  EventLog log() const { return book().events(); }
  static DeviceFacts facts() { return {"Ascend910B3", "0000:c1:00.0", uint64_t{64} << 30, 20, 40, 6}; }

  DeviceArea* area_ = nullptr;
};

TEST_F(DeviceBookTest, DeviceIsOffUntilItIsOpened) {
  EXPECT_EQ(book().read(3).state, DeviceState::off);
  book().note_starting(3);
  EXPECT_EQ(book().read(3).state, DeviceState::starting);
  book().note_ready(3, facts());
  const DeviceReading reading = book().read(3);
  EXPECT_EQ(reading.state, DeviceState::ready);
  EXPECT_EQ(reading.health, Health::normal);
  EXPECT_EQ(reading.facts.soc, "Ascend910B3");
  EXPECT_EQ(reading.facts.bus_id, "0000:c1:00.0");
  EXPECT_EQ(reading.facts.hbm_bytes, uint64_t{64} << 30);
  EXPECT_EQ(reading.facts.vector_cores, 40u);
  EXPECT_NE(reading.started_ns, 0u);
}

TEST_F(DeviceBookTest, StartIsTheFirstOpenersAndToldOnce) {
  book().note_ready(0, facts());
  DeviceFacts other = facts();
  other.soc = "another";
  book().note_ready(0, other);
  EXPECT_EQ(book().read(0).facts.soc, "Ascend910B3");
  ASSERT_EQ(log().read().events.size(), 1u);
  EXPECT_EQ(log().read().events[0].kind, EventKind::start);
}

TEST_F(DeviceBookTest, CountersOfAllThreadsAddUp) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 10'000; ++i) {
        book().count_copy(1, 2, 3);
        book().count_from_host(1, 5);
        book().count_to_host(1, 7);
        book().count_error(1, DeviceError::timeout);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(book().link_bytes(1, 2), 120'000u);
  EXPECT_EQ(book().link_bytes(2, 1), 0u);
  const DeviceReading reading = book().read(1);
  EXPECT_EQ(reading.from_host, 200'000u);
  EXPECT_EQ(reading.to_host, 280'000u);
  EXPECT_EQ(reading.error(DeviceError::timeout), 40'000u);
  EXPECT_EQ(reading.error(DeviceError::kernel_fault), 0u);
}

TEST_F(DeviceBookTest, LostDeviceIsAbnormalUntilCleared) {
  const uint32_t news = *book().news();
  book().inject_lost(2);
  EXPECT_TRUE(book().lost(2));
  EXPECT_FALSE(book().lost(1));
  EXPECT_EQ(book().read(2).health, Health::abnormal);
  EXPECT_NE(*book().news(), news);
  book().clear(2);
  EXPECT_FALSE(book().lost(2));
  EXPECT_EQ(book().read(2).health, Health::normal);
}

TEST_F(DeviceBookTest, EccErrorsAreCountedAndWarnAbout) {
  book().inject_ecc(2);
  book().inject_ecc(2);
  EXPECT_EQ(book().read(2).error(DeviceError::ecc), 2u);
  EXPECT_EQ(book().read(2).health, Health::warning);
  book().clear(2);
  EXPECT_EQ(book().read(2).health, Health::normal);
  EXPECT_EQ(book().read(2).error(DeviceError::ecc), 2u);  // what has happened has
}

TEST_F(DeviceBookTest, LinkIsDownInBothDirectionsUntilOneEndIsCleared) {
  book().inject_link_down(1, 63);
  EXPECT_TRUE(book().link_down(1, 63));
  EXPECT_TRUE(book().link_down(63, 1));
  EXPECT_FALSE(book().link_down(1, 2));
  EXPECT_EQ(book().read(63).health, Health::warning);
  book().inject_link_down(63, 5);
  book().clear(1);
  EXPECT_FALSE(book().link_down(63, 1));
  EXPECT_TRUE(book().link_down(63, 5));
}

// Whichever of the two is last: both ends agree.
TEST_F(DeviceBookTest, ALinkIsInjectedAndClearedAtATime) {
  for (int round = 0; round < 2000; ++round) {
    std::thread injecting([&] { book().inject_link_down(round % 2, 1 - round % 2); });
    book().clear(0);
    injecting.join();
    ASSERT_EQ(book().link_down(0, 1), book().link_down(1, 0)) << round;
    ASSERT_EQ(book().read(0).links_down >> 1 & 1, book().read(1).links_down & 1) << round;
    ASSERT_EQ(book().read(0).health, book().read(1).health) << round;
    book().clear(1);
    ASSERT_FALSE(book().link_down(0, 1)) << round;
  }
}

TEST_F(DeviceBookTest, ResetForgetsCountersAndFaultsOfOneDevice) {
  book().note_ready(1, facts());
  book().note_ready(2, facts());
  book().count_error(1, DeviceError::kernel_fault);
  book().count_error(2, DeviceError::kernel_fault);
  book().count_copy(1, 2, 100);
  book().count_copy(3, 2, 100);
  book().inject_lost(1);
  book().inject_link_down(1, 2);
  book().reset(1, false);
  const DeviceReading reading = book().read(1);
  EXPECT_EQ(reading.state, DeviceState::off);
  EXPECT_EQ(reading.health, Health::normal);
  EXPECT_EQ(reading.error(DeviceError::kernel_fault), 0u);
  EXPECT_EQ(reading.resets, 1u);
  EXPECT_EQ(book().link_bytes(1, 2), 0u);
  EXPECT_EQ(book().link_bytes(3, 2), 100u);
  EXPECT_FALSE(book().link_down(2, 1));
  EXPECT_EQ(book().read(2).error(DeviceError::kernel_fault), 1u);
  EXPECT_EQ(book().read(2).state, DeviceState::ready);
}

TEST_F(DeviceBookTest, DeviceInUseStaysReadyOverItsReset) {
  book().note_ready(1, facts());
  book().reset(1, true);
  EXPECT_EQ(book().read(1).state, DeviceState::ready);
  EXPECT_EQ(book().read(1).facts.soc, "Ascend910B3");
  EXPECT_EQ(book().resets(1), 1u);
}

TEST_F(DeviceBookTest, EventsAreReadInTheirOrder) {
  log().add(EventKind::open, 4, 0, "one");
  log().add(EventKind::task_fault, 5, 1234, std::string(70, 'x'));
  const auto reading = log().read();
  ASSERT_EQ(reading.events.size(), 2u);
  EXPECT_EQ(reading.events[0].number, 0u);
  EXPECT_EQ(reading.events[0].device, 4);
  EXPECT_EQ(reading.events[0].pid, ::getpid());
  EXPECT_EQ(reading.events[0].text, "one");
  EXPECT_EQ(reading.events[1].kind, EventKind::task_fault);
  EXPECT_EQ(reading.events[1].value, 1234u);
  EXPECT_EQ(reading.events[1].text, std::string(55, 'x') + "~");
  EXPECT_EQ(reading.overwritten + reading.holes, 0u);
}

TEST_F(DeviceBookTest, FullRingKeepsTheNewestAndCountsTheRest) {
  for (uint64_t i = 0; i < kEvents + 10; ++i) {
    log().add(EventKind::open, -1, i, "");
  }
  const auto reading = log().read();
  ASSERT_EQ(reading.events.size(), kEvents);
  EXPECT_EQ(reading.overwritten, 10u);
  EXPECT_EQ(reading.holes, 0u);
  EXPECT_EQ(reading.events.front().value, 10u);
  EXPECT_EQ(reading.events.back().value, kEvents + 9);
  EXPECT_EQ(reading.events.front().device, -1);
}

TEST_F(DeviceBookTest, EventsOfOneDevicePushOutNotAllOfAnother) {
  for (uint64_t i = 0; i < kEventsOfOne + 4; ++i) {
    log().add(EventKind::inject, 5, i, "stays");
  }
  for (uint64_t i = 0; i < 10 * kEvents; ++i) {
    log().add(EventKind::task_fault, 0, i, "");
  }
  const auto all = log().read();
  ASSERT_EQ(all.events.size(), kEventsOfOne + kEvents);
  EXPECT_EQ(all.holes, 0u);
  EXPECT_EQ(all.overwritten, 4 + 9 * kEvents);
  EXPECT_EQ(all.events.front().text, "stays") << "the oldest";
  const auto of_5 = all.only(5);
  ASSERT_EQ(of_5.events.size(), kEventsOfOne);
  EXPECT_EQ(of_5.events.front().value, 4u);
  EXPECT_EQ(of_5.overwritten, 4u);
  EXPECT_EQ(of_5.holes, 0u);
  const auto of_0 = all.only(0);
  EXPECT_EQ(of_0.events.size(), kEvents) << "the ring of all is its own";
  EXPECT_EQ(of_0.overwritten, 9 * kEvents);
  EXPECT_TRUE(all.only(7).events.empty());
  EXPECT_EQ(all.only(7).overwritten + all.only(7).holes, 0u);
}

// As a writer leaves it that was killed behind its claim of the device's entry.
TEST_F(DeviceBookTest, AKilledWriterLeavesAHoleOfItsDevice) {
  log().add(EventKind::open, 3, 0, "");
  area_->next_event = 2;
  area_->rings[3].events_begun = 2;
  area_->rings[3].events[1].stamp = 2 * 1 + 1;
  log().add(EventKind::close, 3, 2, "");
  const auto reading = log().read();
  EXPECT_EQ(reading.holes, 1u);
  EXPECT_EQ(reading.only(3).holes, 1u);
  EXPECT_EQ(reading.only(3).events.size(), 2u);
  EXPECT_EQ(reading.only(3).overwritten, 0u);
  EXPECT_EQ(reading.only(4).holes, 0u);
}

// As a writer leaves it that was killed behind its claim.
TEST_F(DeviceBookTest, KilledWriterLeavesAHoleThatTheNextRoundFills) {
  log().add(EventKind::open, 0, 0, "");
  area_->events[1].stamp = 2 * 1 + 1;
  area_->next_event = 2;
  log().add(EventKind::close, 0, 2, "");
  auto reading = log().read();
  EXPECT_EQ(reading.events.size(), 2u);
  EXPECT_EQ(reading.holes, 1u);
  for (uint64_t i = 3; i < kEvents + 2; ++i) {
    log().add(EventKind::open, 0, i, "");
  }
  reading = log().read();
  EXPECT_EQ(reading.holes, 0u);
  EXPECT_EQ(reading.events.back().number, kEvents + 1);
}

// As a writer leaves it that was stopped while the ring went round, and then wrote on.
TEST_F(DeviceBookTest, MixedEntryIsAHole) {
  log().add(EventKind::open, 0, 7, "");
  area_->events[0].value = 8;
  EXPECT_EQ(log().read().events.size(), 1u) << "the device's ring has it";
  area_->rings[0].events[0].value = 8;
  EXPECT_TRUE(log().read().events.empty());
  EXPECT_EQ(log().read().holes, 1u);
}

TEST_F(DeviceBookTest, ReaderBesideWritersSeesWholeEventsOnly) {
  std::atomic<bool> over{false};
  std::vector<std::thread> writers;
  for (uint64_t w = 0; w < 2; ++w) {
    writers.emplace_back([&, w] {
      for (uint64_t i = 0; i < 50'000; ++i) {
        const uint64_t value = w << 32 | i;
        log().add(EventKind::open, static_cast<int>(w), value, fmt::format("{} {}", w, value));
      }
      over.store(true, std::memory_order_relaxed);
    });
  }
  while (!over.load(std::memory_order_relaxed)) {
    uint64_t before = 0;
    for (const DeviceEvent& event : log().read().events) {
      ASSERT_EQ(event.text, fmt::format("{} {}", event.device, event.value));
      ASSERT_EQ(event.value >> 32, static_cast<uint64_t>(event.device));
      ASSERT_TRUE(before == 0 || event.number > before);
      before = event.number;
    }
  }
  for (auto& writer : writers) {
    writer.join();
  }
  const auto reading = log().read();
  EXPECT_EQ(reading.overwritten + reading.events.size() + reading.holes, 100'000u);
  EXPECT_LE(reading.holes, 2u);  // of a writer that slept while the ring went round
}

TEST_F(DeviceBookTest, WritersKilledAnywhereLeaveFewHolesAndNoNonsense) {
  constexpr int kKills = 100;
  for (int i = 0; i < kKills; ++i) {
    ChildProcess writer([&](Line& line) {
      line.say("go");
      for (uint64_t n = 0;; ++n) {
        log().add(EventKind::open, 1, n, fmt::format("event {}", n));
      }
    });
    ASSERT_EQ(writer.line().hear(), "go");
    const uint64_t seen = std::atomic_ref(area_->next_event).load();
    while (std::atomic_ref(area_->next_event).load() < seen + static_cast<uint64_t>(i)) {
      std::this_thread::yield();
    }
    writer.kill();
    const auto reading = log().read();
    ASSERT_LE(reading.holes, static_cast<uint64_t>(i) + 1);
    for (const DeviceEvent& event : reading.events) {
      ASSERT_EQ(event.text, fmt::format("event {}", event.value));
    }
  }
}

}  // namespace
}  // namespace canopy
