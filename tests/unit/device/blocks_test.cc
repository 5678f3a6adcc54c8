// Launches of several blocks: which blocks run, on which cores, how often.
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <tuple>
#include <vector>

namespace canopy::test {
namespace {

constexpr uint32_t kMost = 200;

struct Tally {
  std::atomic<uint32_t> runs[kMost] = {};
  std::atomic<uint32_t> wrong_count{0};
  std::atomic<uint32_t> wrong_core{0};
  std::atomic<int32_t> busy[64] = {};
  uint32_t blocks = 0;
  uint32_t cores = 0;
};

void count_blocks(const void* args) {
  auto& tally = **static_cast<Tally* const*>(args);
  const uint32_t core = canopy_core_id();
  if (core >= tally.cores || tally.busy[core].fetch_add(1) != 0) {
    tally.wrong_core.fetch_add(1);
  }
  if (GetBlockNum() != tally.blocks || GetBlockIdx() >= tally.blocks) {
    tally.wrong_count.fetch_add(1);
  } else {
    tally.runs[GetBlockIdx()].fetch_add(1);
  }
  tally.busy[core].fetch_sub(1);
}

class BlocksOnCores : public testing::TestWithParam<std::tuple<uint32_t, uint32_t>> {};

TEST_P(BlocksOnCores, EveryIndexRunsExactlyOnceOnACoreOfItsOwn) {
  const auto [cores, executors] = GetParam();
  const KernelImage image = image_of("count_blocks", &count_blocks);
  Rig rig({.executors = executors, .vector_cores = cores});
  RigStream stream(rig);
  for (uint32_t blocks = 1; blocks <= kMost; ++blocks) {
    Tally tally;
    tally.blocks = blocks;
    tally.cores = cores;
    Tally* args = &tally;
    stream.kernel(image, blocks, &args);
    stream.sync();
    for (uint32_t b = 0; b < kMost; ++b) {
      ASSERT_EQ(tally.runs[b].load(), b < blocks ? 1u : 0u) << "block " << b << " of " << blocks;
    }
    ASSERT_EQ(tally.wrong_count.load(), 0u);
    ASSERT_EQ(tally.wrong_core.load(), 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(Shapes, BlocksOnCores,
                         testing::Combine(testing::Values(1u, 2u, 3u, 48u), testing::Values(1u, 2u, 4u)));

TEST(Blocks, LaunchesOfManyStreamsShareFewCores) {
  const KernelImage vector = image_of("adds", [](const void* args) {
    (*static_cast<std::atomic<uint64_t>* const*>(args))->fetch_add(1);
  });
  KernelImage cube = vector;
  cube.core_kind = CoreKind::cube;
  Rig rig({.executors = 2, .cube_cores = 1, .vector_cores = 2});
  std::atomic<uint64_t> ran{0};
  std::atomic<uint64_t>* args = &ran;
  uint64_t expected = 0;
  {
    std::vector<std::unique_ptr<RigStream>> streams;
    for (int s = 0; s < 6; ++s) {
      streams.push_back(std::make_unique<RigStream>(rig, static_cast<uint8_t>(s % 2)));
    }
    for (uint32_t i = 0; i < 6'000 / kSlowdown; ++i) {
      const uint32_t blocks = 1 + i % 7;
      streams[i % 6]->kernel(i % 5 == 0 ? cube : vector, blocks, &args);
      expected += blocks;
    }
  }
  EXPECT_EQ(ran.load(), expected);
}

// The only core has been left to its executor, which goes on with something that does not end before another block has had
// it.
TEST(Blocks, ACoreIsThereForOthersWhileItsExecutorDoesSomethingElse) {
  struct Word {
    std::atomic<uint32_t> raised{0};
  };
  const KernelImage nothing = image_of("nothing", [](const void*) {});
  const KernelImage raise = image_of("raise", [](const void* args) {
    (*static_cast<Word* const*>(args))->raised.store(1);
  });
  const KernelImage await_word = image_of(
      "await_word",
      [](const void* args) {
        while ((*static_cast<Word* const*>(args))->raised.load() == 0) {
          canopy_yield();
        }
      },
      CoreKind::cube);
  const CallFunction call = [](void* word) {
    while (static_cast<Word*>(word)->raised.load() == 0) {
      ::sched_yield();
    }
  };
  Rig rig({.executors = 2, .cube_cores = 1, .vector_cores = 1});
  for (int i = 0; i < 200 / kSlowdown; ++i) {
    for (const bool in_block : {false, true}) {
      Word word;
      Word* args = &word;
      RigStream keeps(rig);
      RigStream wants(rig);
      keeps.kernel(nothing, 1, &args);
      if (in_block) {
        keeps.kernel(await_word, 1, &args);
      } else {
        keeps.call(call, &word);
      }
      wants.kernel(raise, 1, &args);
    }
  }
}

// The other executor has found no core, and sleeps: it is woken when the core is given back, not when the watchdog looks.
TEST(Blocks, ACoreThatIsGivenBackWakesWhoWaitsForIt) {
  struct Scene {
    Rig& rig;
    std::atomic<bool> queued{false};  // what follows the kernel: else its executor goes idle in between, and gives the core back
    std::atomic<bool> keeps{false};
    std::atomic<uint32_t> raised{0};
  };
  const KernelImage hold = image_of("hold", [](const void* args) {
    while (!(*static_cast<Scene* const*>(args))->queued.load()) {
      ::sched_yield();
    }
  });
  const KernelImage raise = image_of("raise", [](const void* args) {
    (*static_cast<Scene* const*>(args))->raised.store(1);
  });
  Rig rig({.executors = 2, .vector_cores = 1, .stuck_ms = 600'000});
  for (int i = 0; i < 20; ++i) {
    Scene scene{rig};
    Scene* args = &scene;
    RigStream keeps(rig);
    RigStream wants(rig);
    keeps.kernel(hold, 1, &args);
    keeps.post([&](Sqe& sqe) {  // a step keeps the core
      sqe.kind = SqeKind::step;
      sqe.body.step = {[](Strand&, void* raw, bool) {
                         static_cast<Scene*>(raw)->keeps.store(true);
                         Scheduler& scheduler = static_cast<Scene*>(raw)->rig.scheduler;
                         const uint32_t other = 1 - Executor::current()->index();
                         while (!scheduler.has_open_launches() ||
                                scheduler.executor(other).state() != Executor::State::sleeping) {
                           ::sched_yield();
                         }
                       },
                       &scene};
    });
    keeps.call(
        [](void* raw) {
          while (static_cast<Scene*>(raw)->raised.load() == 0) {
            ::sched_yield();
          }
        },
        &scene);
    scene.queued = true;
    rig.await([&] { return scene.keeps.load(); }, nullptr, "the core to be kept");
    wants.kernel(raise, 1, &args);
  }
}

TEST(Blocks, AStreamGoesOnOnlyAfterTheLastBlock) {
  struct Round {
    std::atomic<uint32_t> ended{0};
    uint32_t seen = 0;
  };
  const KernelImage image = image_of("ends", [](const void* args) {
    canopy_yield();
    (*static_cast<Round* const*>(args))->ended.fetch_add(1);
  });
  Rig rig;
  RigStream stream(rig);
  for (int i = 0; i < 500 / kSlowdown; ++i) {
    Round round;
    Round* args = &round;
    stream.kernel(image, 17, &args);
    stream.call([](void* p) { static_cast<Round*>(p)->seen = static_cast<Round*>(p)->ended.load(); }, &round);
    stream.sync();
    ASSERT_EQ(round.seen, 17u);
  }
}

TEST(Blocks, EachHasAUnifiedBufferOfItsOwnAndGivesItBack) {
  struct Buffers {
    std::atomic<uint32_t> wrong{0};
  };
  const KernelImage image = image_of("buffers", [](const void* args) {
    size_t bytes = 0;
    auto* buffer = static_cast<volatile uint8_t*>(canopy_unified_buffer(&bytes));
    const auto mark = static_cast<uint8_t>(GetBlockIdx() + 1);
    buffer[0] = mark;
    buffer[bytes - 1] = mark;
    SyncAll();
    const bool right = bytes == 192 << 10 && buffer[0] == mark && buffer[bytes - 1] == mark &&
                       canopy_unified_buffer(nullptr) == buffer;
    if (!right) {
      (*static_cast<Buffers* const*>(args))->wrong.fetch_add(1);
    }
  });
  Rig rig;
  RigStream stream(rig);
  Buffers buffers;
  Buffers* args = &buffers;
  for (int i = 0; i < 50; ++i) {
    stream.kernel(image, 8, &args);
  }
  stream.sync();
  EXPECT_EQ(buffers.wrong.load(), 0u);
}

TEST(Blocks, KnowDeviceAndKindAndHostCodeIsNoBlock) {
  struct Seen {
    int32_t device = -1;
    uint32_t kind = 0;
    int inside = 0;
  };
  const KernelImage image = image_of("seen", [](const void* args) {
    auto& seen = **static_cast<Seen* const*>(args);
    seen = {canopy_device_id(), canopy_core_kind(), canopy_in_kernel()};
  }, CoreKind::cube);
  Rig rig;
  RigStream stream(rig);
  Seen seen;
  Seen* args = &seen;
  stream.kernel(image, 1, &args);
  int in_call = -1;
  stream.call([](void* p) { *static_cast<int*>(p) = canopy_in_kernel(); }, &in_call);
  stream.sync();
  EXPECT_EQ(seen.device, 0);
  EXPECT_EQ(seen.kind, static_cast<uint32_t>(CoreKind::cube));
  EXPECT_EQ(seen.inside, 1);
  EXPECT_EQ(in_call, 0);
  EXPECT_EQ(canopy_in_kernel(), 0);
}

}  // namespace
}  // namespace canopy::test
