// The debug mode's books; what it says of a program's mistakes is shown in tests/negative.
#include "shmem/debug/block_book.h"
#include "shmem/debug/write_log.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

namespace canopy::shmem {
namespace {

HeapBlock block(uintptr_t begin, size_t bytes) { return {.begin = begin, .bytes = bytes, .routine = "shmem_malloc", .allocated = {}, .freed = {}}; }

TEST(BlockBook, FindsTheLiveBlockBeforeAnAddress) {
  BlockBook book;
  EXPECT_FALSE(book.before(1000));
  book.add(block(1000, 40));
  book.add(block(1064, 8));
  EXPECT_FALSE(book.before(999));
  EXPECT_EQ(book.before(1000)->begin, 1000u);
  EXPECT_EQ(book.before(1063)->begin, 1000u);
  EXPECT_FALSE(book.before(1063)->contains(1063)) << "what the heap rounds up is nobody's";
  EXPECT_EQ(book.before(1064)->begin, 1064u);
}

TEST(BlockBook, RemembersTheNewestBlockThatWasFreed) {
  BlockBook book;
  const int here = 0;
  for (const size_t bytes : {64u, 128u}) {
    book.add(block(1000, bytes));
    book.remove(1000, {&here});
  }
  EXPECT_EQ(book.freed_at(1010)->bytes, 128u);
  EXPECT_EQ(book.freed_at(1010)->freed.pc, &here);
  EXPECT_FALSE(book.freed_at(1128));
  book.remove(5, {});  // nobody's
}

TEST(BlockBook, ForgetsTheOldestOfManyFreedBlocks) {
  BlockBook book;
  for (uintptr_t i = 0; i < 5000; ++i) {
    book.add(block(i * 64, 64));
    book.remove(i * 64, {});
  }
  EXPECT_FALSE(book.freed_at(0));
  EXPECT_TRUE(book.freed_at(4999 * 64));
}

TEST(BlockBook, ListsWhatIsLiveByPlaceLargestSumFirst) {
  BlockBook book;
  for (uintptr_t i = 0; i < 3; ++i) {
    book.add(block(i * 100, 100));
  }
  book.add(block(1000, 250));
  EXPECT_EQ(book.live_text(), "\n  3 x 100 bytes from shmem_malloc\n  1 x 250 bytes from shmem_malloc");
}

Write write_of(uint64_t offset, uint64_t bytes, int pe, uint64_t when) {
  Write write;
  write.offset = offset;
  write.bytes = bytes;
  write.pe = pe;
  write.value = when;
  write.unix_ns = when;
  return write;
}

TEST(WriteLog, TellsTheNewestWriteThatTouchesAWord) {
  const auto mine = std::make_unique<WriteLog>();
  const auto theirs = std::make_unique<WriteLog>();
  mine->add(write_of(64, 8, 0, 10));
  mine->add(write_of(64, 8, 1, 40));
  theirs->add(write_of(0, 65, 0, 20));
  theirs->add(write_of(72, 8, 0, 30));
  NewestWrites newest(64, 8, 0);
  newest.look_at(*mine, 5);
  newest.look_at(*theirs, 6);
  ASSERT_TRUE(newest.there);
  EXPECT_EQ(newest.there->writer, 6);
  EXPECT_EQ(newest.there->write.unix_ns, 20u);
  ASSERT_TRUE(newest.elsewhere);
  EXPECT_EQ(newest.elsewhere->write.pe, 1);
}

TEST(WriteLog, KeepsTheNewestWhenItIsFull) {
  const auto log = std::make_unique<WriteLog>();
  for (uint64_t i = 0; i <= WriteLog::kRecords; ++i) {
    log->add(write_of(i * 8, 8, 0, i + 1));
  }
  NewestWrites first(0, 8, 0);
  first.look_at(*log, 0);
  EXPECT_FALSE(first.there);
  NewestWrites last(WriteLog::kRecords * 8, 8, 0);
  last.look_at(*log, 0);
  EXPECT_TRUE(last.there);
}

// Every record that is read is one that was written: all its parts are of one number.
TEST(WriteLog, ShowsNoHalfWrittenRecords) {
  const auto log = std::make_unique<WriteLog>();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; !stop.load(std::memory_order_relaxed); ++i) {
      Write write = write_of(0, 8, 0, i);
      std::memset(write.routine, static_cast<int>('a' + i % 26), sizeof write.routine - 1);
      log->add(write);
    }
  });
  for (int round = 0; round < 2000; ++round) {
    NewestWrites newest(0, 8, 0);
    newest.look_at(*log, 0);
    if (newest.there) {
      const Write& write = newest.there->write;
      EXPECT_EQ(write.value, write.unix_ns);
      EXPECT_EQ(write.routine[0], static_cast<char>('a' + write.value % 26));
      EXPECT_EQ(write.routine[sizeof write.routine - 2], write.routine[0]);
    }
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
}

class DebugMode : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, DebugMode, testing::Values(1, 2, 3, 4));

// Every operation takes the cold side, and has the same result.
TEST_P(DebugMode, DoesWhatTheOthersDo) {
  test::thread_world(
      GetParam(),
      [](World& world) {
        ASSERT_NE(world.guard(), nullptr);
        EXPECT_NE(&current_hot(), &world.hot());
        auto* words = static_cast<uint64_t*>(world.host_heap().allocate_zeroed(4, 8));
        const int next = (world.my_pe() + 1) % world.n_pes();
        p<FromHost>(words, uint64_t{7}, next, "p");
        signal_op<FromHost>(words + 1, uint64_t{3}, SignalChange::add, next, "signal");
        EXPECT_EQ(wait_until<FromHost>(words, Compare::eq, uint64_t{7}, "wait"), 7u);
        EXPECT_EQ(wait_until<FromHost>(words + 1, Compare::eq, uint64_t{3}, "wait"), 3u);
        EXPECT_EQ(g<FromHost>(words, next, "g"), 7u);
        world.barrier_all();
        EXPECT_NE(world.guard()->last_writer(words, 8).find("last written by PE"), std::string::npos);
        EXPECT_NE(world.guard()->last_writer(words + 2, 8).find("no PE has written it"), std::string::npos);
        world.barrier_all();
        world.host_heap().release(words);
      },
      {.debug = true});
}

// One PE's wish is for all: what members tell each other, all must tell.
TEST(DebugModeOfOne, IsTheJobs) {
  test::thread_world(3, [](World& world) { EXPECT_EQ(world.guard(), nullptr); });
  test::thread_world(3, [](World& world) { EXPECT_NE(world.guard(), nullptr); }, {.debug = true, .debug_pe = 1});
}

}  // namespace
}  // namespace canopy::shmem
