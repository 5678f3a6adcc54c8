// Blocks that wait for each other through canopy/kernel.h.
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace canopy::test {
namespace {

struct Rounds {
  std::atomic<uint32_t> arrived{0};
  std::atomic<uint32_t> wrong{0};
  uint32_t rounds = 0;
};

void sync_rounds(const void* args) {
  auto& work = **static_cast<Rounds* const*>(args);
  for (uint32_t round = 1; round <= work.rounds; ++round) {
    work.arrived.fetch_add(1);
    SyncAll();
    // Between this and the next SyncAll at most one more of each other block may have come.
    const uint32_t seen = work.arrived.load();
    if (seen < round * GetBlockNum() || seen > (round + 1) * GetBlockNum()) {
      work.wrong.fetch_add(1);
    }
    SyncAll();
  }
}

class SyncAllOf : public testing::TestWithParam<std::tuple<uint32_t, uint32_t>> {};

TEST_P(SyncAllOf, NobodyPassesBeforeTheLastHasCome) {
  const auto [blocks, executors] = GetParam();
  const KernelImage image = image_of("sync_rounds", &sync_rounds);
  Rig rig({.executors = executors});
  RigStream stream(rig);
  Rounds work;
  work.rounds = 1'000 / kSlowdown;
  Rounds* args = &work;
  stream.kernel(image, blocks, &args);
  stream.sync();
  EXPECT_EQ(work.arrived.load(), blocks * work.rounds);
  EXPECT_EQ(work.wrong.load(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Shapes, SyncAllOf,
                         testing::Combine(testing::Values(1u, 2u, 7u, 48u), testing::Values(1u, 2u, 4u)));

TEST(SyncAll, PublishesWhatTheBlocksWroteBefore) {
  struct Table {
    uint64_t plain[48] = {};
    std::atomic<uint32_t> wrong{0};
  };
  const KernelImage image = image_of("publish", [](const void* args) {
    auto& table = **static_cast<Table* const*>(args);
    for (uint64_t round = 1; round <= 50; ++round) {
      table.plain[GetBlockIdx()] = round;
      SyncAll();
      for (uint32_t b = 0; b < GetBlockNum(); ++b) {
        table.wrong.fetch_add(table.plain[b] != round);
      }
      SyncAll();
    }
  });
  Rig rig({.executors = 3});
  RigStream stream(rig);
  Table table;
  Table* args = &table;
  stream.kernel(image, 48, &args);
  stream.sync();
  EXPECT_EQ(table.wrong.load(), 0u);
}

// Blocks that wait while they handle an exception, each its own.
TEST(SyncAll, LeavesEveryBlockItsExceptions) {
  struct Work {
    std::atomic<uint32_t> wrong{0};
    std::atomic<uint32_t> handled{0};
  };
  const KernelImage image = image_of("handlers", [](const void* args) {
    auto& work = **static_cast<Work* const*>(args);
    for (uint32_t round = 0; round < 20; ++round) {
      const uint32_t mine = round * 100 + GetBlockIdx();
      try {
        throw mine;
      } catch (uint32_t) {
        SyncAll();
        try {
          throw;
        } catch (uint32_t again) {
          canopy_yield();
          work.handled.fetch_add(1);
          work.wrong.fetch_add(again != mine);
        }
      }
      work.wrong.fetch_add(std::current_exception() != nullptr);
    }
  });
  for (const uint32_t executors : {1u, 3u}) {
    Rig rig({.executors = executors});
    RigStream stream(rig);
    Work work;
    Work* args = &work;
    stream.kernel(image, 8, &args);
    stream.sync();
    EXPECT_EQ(work.handled.load(), 160u);
    EXPECT_EQ(work.wrong.load(), 0u);
  }
}

// An exception that is lost with its block, as all that such a block holds: no leak to report.
void expect_leak([[maybe_unused]] bool begins) {
#if defined(__SANITIZE_ADDRESS__)
  begins ? __lsan_disable() : __lsan_enable();
#endif
}

TEST(SyncAll, OfABlockThatFailsInAHandlerLeavesNoExceptionBehind) {
  const KernelImage fails = image_of("fails", [](const void*) {
    try {
      expect_leak(true);
      throw 1;
    } catch (int) {
      expect_leak(false);
      canopy_assert(GetBlockNum() == 0);
    }
  });
  const KernelImage looks = image_of("looks", [](const void* args) {
    (*static_cast<std::atomic<uint32_t>* const*>(args))->fetch_add(std::current_exception() != nullptr);
  });
  Rig rig({.executors = 1});
  RigStream stream(rig);
  std::atomic<uint32_t> seen{0};
  std::atomic<uint32_t>* args = &seen;
  for (const uint32_t blocks : {1u, 5u}) {
    stream.kernel(fails, blocks, nullptr);
    stream.kernel(looks, blocks, &args);
    stream.call([](void* count) { static_cast<std::atomic<uint32_t>*>(count)->fetch_add(std::current_exception() != nullptr); },
                &seen);
  }
  stream.sync();
  EXPECT_EQ(stream.strand().take_error(), fault_code(DeviceFault::trap, CoreKind::vector));
  EXPECT_EQ(seen.load(), 0u);
}

TEST(Flags, AreCountersThatAWaitTakesOneFrom) {
  struct Work {
    uint64_t plain = 0;
    uint64_t sum = 0;
  };
  const KernelImage image = image_of("flags", [](const void* args) {
    auto& work = **static_cast<Work* const*>(args);
    for (uint64_t i = 1; i <= 200; ++i) {
      if (GetBlockIdx() == 0) {
        work.plain = i;
        canopy_flag_set(3);
        canopy_flag_wait(4);
      } else {
        canopy_flag_wait(3);
        work.sum += work.plain;
        canopy_flag_set(4);
      }
    }
    if (GetBlockIdx() == 0) {
      canopy_flag_set(15);  // left set: the next launch must not see it
    }
  });
  Rig rig;
  RigStream stream(rig);
  Work work;
  Work* args = &work;
  for (int launch = 0; launch < 20; ++launch) {
    stream.kernel(image, 2, &args);
  }
  stream.sync();
  EXPECT_EQ(work.sum, 20u * 200 * 201 / 2);
}

TEST(Flags, OfALaunchStartAtZero) {
  struct Work {
    std::atomic<bool> leaked{false};
  };
  const KernelImage sets = image_of("sets", [](const void*) { canopy_flag_set(2); });
  const KernelImage looks = image_of("looks", [](const void* args) {
    // Block 1 sets the flag; if it was set from before, block 0 gets through before that.
    auto& work = **static_cast<Work* const*>(args);
    static std::atomic<bool> set;
    if (GetBlockIdx() == 0) {
      set.store(false);
      SyncAll();
      canopy_flag_wait(2);
      if (!set.load()) {
        work.leaked.store(true);
      }
    } else {
      SyncAll();
      for (int i = 0; i < 10; ++i) {
        canopy_yield();
      }
      set.store(true);
      canopy_flag_set(2);
    }
  });
  Rig rig;
  RigStream stream(rig);
  Work work;
  Work* args = &work;
  for (int i = 0; i < 50; ++i) {
    stream.kernel(sets, 1, nullptr);
    stream.kernel(looks, 2, &args);
  }
  stream.sync();
  EXPECT_FALSE(work.leaked.load());
}

struct Word {
  std::atomic<uint64_t> value{0};
  uint64_t expected = 0;
  static int reached(void* self) {
    auto& word = *static_cast<Word*>(self);
    return word.value.load(std::memory_order_acquire) >= word.expected ? 1 : 0;
  }
};

TEST(CanopyWaitUntil, ManyBlocksPollWordsThatOtherBlocksWrite) {
  struct Ring {
    Word words[48];
  };
  // A token goes round: block b waits for its word and writes the next one.
  const KernelImage image = image_of("token", [](const void* args) {
    auto& ring = **static_cast<Ring* const*>(args);
    const uint32_t me = GetBlockIdx();
    Word& mine = ring.words[me];
    Word& next = ring.words[(me + 1) % GetBlockNum()];
    for (uint64_t round = 1; round <= 30; ++round) {
      if (me != 0 || round != 1) {
        mine.expected = me == 0 ? round - 1 : round;
        canopy_wait_until(&Word::reached, &mine, "the token");
      }
      next.value.fetch_add(1, std::memory_order_release);
    }
  });
  for (uint32_t executors : {1u, 2u, 4u}) {
    Rig rig({.executors = executors});
    RigStream stream(rig);
    Ring ring;
    Ring* args = &ring;
    stream.kernel(image, 48, &args);
    stream.sync();
    for (const Word& word : ring.words) {
      EXPECT_EQ(word.value.load(), 30u);
    }
  }
}

TEST(CanopyWaitUntil, SeesThePlainStoreOfAHostThread) {
  const KernelImage image = image_of("poll", [](const void* args) {
    canopy_wait_until(&Word::reached, *static_cast<Word* const*>(args), "the host");
  });
  Rig rig({.executors = 1});
  for (int i = 0; i < 20; ++i) {
    RigStream stream(rig);
    Word word;
    word.expected = 1;
    Word* args = &word;
    stream.kernel(image, 1, &args);
    if (i % 2 == 0) {
      // Long enough for the executor to have gone to sleep in naps.
      const uint64_t begin = monotonic_ns();
      while (monotonic_ns() - begin < 3'000'000) {
        std::this_thread::yield();
      }
    }
    EXPECT_EQ(stream.strand().completed(), 0u);
    word.value.store(1, std::memory_order_release);
    stream.sync();
  }
}

TEST(CanopyWaitUntil, AParkedBlockHoldsNoExecutor) {
  const KernelImage image = image_of("poll", [](const void* args) {
    canopy_wait_until(&Word::reached, *static_cast<Word* const*>(args), "another stream");
  });
  Rig rig({.executors = 1, .stuck_ms = 600'000});
  RigStream waiting(rig);
  RigStream working(rig);
  Word word;
  word.expected = 1;
  Word* args = &word;
  waiting.kernel(image, 1, &args);
  for (int i = 0; i < 100; ++i) {
    working.call([](void*) {}, nullptr);
  }
  working.sync();
  working.call([](void* p) { static_cast<Word*>(p)->value.store(1, std::memory_order_release); }, &word);
  waiting.sync();
}

TEST(CanopyYield, TwoKernelsOnOneExecutorTakeTurns) {
  struct Turn {
    std::atomic<uint64_t>* ball;
    uint64_t parity;
  };
  const KernelImage image = image_of("turns", [](const void* args) {
    const Turn& turn = **static_cast<Turn* const*>(args);
    for (uint64_t i = turn.parity; i < 4'000 / kSlowdown; i += 2) {
      while (turn.ball->load(std::memory_order_acquire) != i) {
        canopy_yield();
      }
      turn.ball->store(i + 1, std::memory_order_release);
    }
  });
  for (uint32_t executors : {1u, 2u}) {
    Rig rig({.executors = executors});
    RigStream first(rig);
    RigStream second(rig);
    std::atomic<uint64_t> ball{0};
    Turn turns[2] = {{&ball, 0}, {&ball, 1}};
    Turn* args[2] = {&turns[0], &turns[1]};
    first.kernel(image, 1, &args[0]);
    second.kernel(image, 1, &args[1]);
    first.sync();
    second.sync();
    EXPECT_EQ(ball.load(), 4'000u / kSlowdown);
  }
}

TEST(Reports, MayBeMadeWhileBlocksComeAndGo) {
  const KernelImage image = image_of("comes_and_goes", [](const void* args) {
    Word word;
    word.expected = 1;
    SyncAll();
    if (GetBlockIdx() == 0) {
      (*static_cast<std::atomic<uint64_t>* const*>(args))->fetch_add(1);
    }
    word.value.store(1);
    canopy_wait_until(&Word::reached, &word, "itself");
    SyncAll();
  });
  Rig rig;
  std::atomic<uint64_t> rounds{0};
  std::atomic<uint64_t>* args = &rounds;
  std::atomic<bool> done{false};
  std::jthread reporter([&] {
    while (!done.load()) {
      const std::string text = describe_waits();
      std::this_thread::yield();  // reports hold up who makes fibers
      ASSERT_TRUE(text.empty() || text.find("comes_and_goes") != std::string::npos) << text;
    }
  });
  {
    RigStream stream(rig);
    for (int i = 0; i < 2'000 / kSlowdown; ++i) {
      stream.kernel(image, 5, &args);
    }
  }
  done.store(true);
  EXPECT_EQ(rounds.load(), 2'000u / kSlowdown);
  reporter.join();
  EXPECT_EQ(describe_waits(), "");
}

TEST(Reports, NameKernelBlockAndWhatItWaitsFor) {
  const KernelImage image = image_of("patient", [](const void* args) {
    canopy_wait_until(&Word::reached, *static_cast<Word* const*>(args), "a word");
  });
  Rig rig;
  Word word;
  word.expected = 1;
  Word* args = &word;
  {
    RigStream stream(rig);
    stream.kernel(image, 2, &args);
    rig.await([&] { return describe_waits().find("kernel patient block 1 of 2: waits for a word") != std::string::npos; },
              nullptr, "the report");
    word.value.store(1);
  }
}

TEST(CanopyWaits, OutsideAKernelWaitOnTheCallingThread) {
  Word word;
  word.expected = 1;
  std::jthread setter([&] { word.value.store(1, std::memory_order_release); });
  canopy_wait_until(&Word::reached, &word, "a thread");
  EXPECT_EQ(word.value.load(), 1u);
  canopy_yield();
}

TEST(CanopyWaits, SyncAllOutsideAKernelEndsTheProcessWithASentence) {
  EXPECT_DEATH(SyncAll(), "SyncAll was called outside a kernel");
}

}  // namespace
}  // namespace canopy::test
