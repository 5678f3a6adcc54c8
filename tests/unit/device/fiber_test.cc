#include "runtime/device/fiber.h"

#include "runtime/base/mapping.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace canopy {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr size_t kFibers = 1'000;  // ThreadSanitizer knows about 8,000 at a time
#else
constexpr size_t kFibers = 10'000;
#endif
constexpr size_t kStack = 32 << 10;

// What entries, which take no argument, look at. One test at a time.
struct Stage {
  Fiber* root = nullptr;
  Fiber* current = nullptr;
  uint64_t seed = 0;
  uint64_t wrong = 0;
  uint64_t entered = 0;
};
Stage stage;

void keep_locals() {
  Fiber* self = stage.current;
  ++stage.entered;
  for (;;) {
    volatile uint64_t locals[32];
    const uint64_t seed = stage.seed;
    const double floating = static_cast<double>(seed) * 1.5;
    for (uint64_t i = 0; i < 32; ++i) {
      locals[i] = seed * 31 + i;
    }
    Fiber::switch_to(*self, *stage.root);
    for (uint64_t i = 0; i < 32; ++i) {
      stage.wrong += locals[i] != seed * 31 + i;
    }
    stage.wrong += floating != static_cast<double>(seed) * 1.5;
    Fiber::switch_to(*self, *stage.root);
  }
}

void run(Fiber& fiber, uint64_t seed) {
  stage.current = &fiber;
  stage.seed = seed;
  Fiber::switch_to(*stage.root, fiber);
}

TEST(Fiber, TenThousandFibersKeepTheirLocals) {
  Fiber root;
  stage = Stage{.root = &root};
  std::vector<std::unique_ptr<Fiber>> fibers;
  for (size_t i = 0; i < kFibers; ++i) {
    auto fresh = Fiber::create(kStack, &keep_locals);
    ASSERT_TRUE(fresh) << i << ": " << error_text::newest();
    fibers.push_back(std::move(*fresh));
  }
  for (int round = 0; round < 2; ++round) {
    for (int half = 0; half < 2; ++half) {
      for (size_t i = 0; i < kFibers; ++i) {
        run(*fibers[i], i * 7 + static_cast<uint64_t>(round));
      }
    }
  }
  EXPECT_EQ(stage.entered, kFibers);
  EXPECT_EQ(stage.wrong, 0u);
}

TEST(Fiber, IsParkedExceptWhileItRuns) {
  static bool parked_while_running = true;
  Fiber root;
  stage = Stage{.root = &root};
  auto fiber = Fiber::create(kStack, [] {
    parked_while_running = stage.current->parked();
    for (;;) {
      Fiber::switch_to(*stage.current, *stage.root);
    }
  });
  ASSERT_TRUE(fiber);
  EXPECT_TRUE((*fiber)->parked());
  run(**fiber, 0);
  EXPECT_FALSE(parked_while_running);
  EXPECT_TRUE((*fiber)->parked());
}

TEST(Fiber, RewindForgetsWhatRanAndStartsAfresh) {
  Fiber root;
  stage = Stage{.root = &root};
  auto fiber = Fiber::create(kStack, &keep_locals);
  ASSERT_TRUE(fiber);
  for (uint64_t i = 1; i <= 100; ++i) {
    run(**fiber, i);
    EXPECT_EQ(stage.entered, i);
    (*fiber)->rewind(&keep_locals);
  }
  EXPECT_EQ(stage.wrong, 0u);
}

// A deep frame whose redzones (under AddressSanitizer) are never cleaned up, because it is abandoned.
[[gnu::noinline]] void deep(int depth) {
  char buffer[512];
  std::memset(buffer, depth, sizeof buffer);
  __asm__ __volatile__("" : : "r"(buffer) : "memory");
  if (depth == 0) {
    Fiber::switch_to(*stage.current, *stage.root);
  } else {
    deep(depth - 1);
  }
  __asm__ __volatile__("" : : "r"(buffer) : "memory");
}

TEST(Fiber, AnAbandonedDeepStackCanBeUsedAgainByOtherFrames) {
  Fiber root;
  stage = Stage{.root = &root};
  auto fiber = Fiber::create(64 << 10, [] {
    deep(40);
    std::abort();
  });
  ASSERT_TRUE(fiber);
  run(**fiber, 0);
  (*fiber)->rewind([] {
    char large[40 << 10];
    std::memset(large, 1, sizeof large);
    __asm__ __volatile__("" : : "r"(large) : "memory");
    Fiber::switch_to(*stage.current, *stage.root);
    std::abort();
  });
  run(**fiber, 0);
}

TEST(Fiber, AnOverflowHitsTheGuardPage) {
  EXPECT_DEATH(
      {
        Fiber root;
        stage = Stage{.root = &root};
        auto fiber = Fiber::create(kStack, [] {
          *const_cast<volatile std::byte*>(static_cast<const std::byte*>(stage.current->stack_low()) - 1) = std::byte{1};
        });
        run(**fiber, 0);
      },
      "");
}

TEST(Fiber, StacksAreRoundedUpToWholePages) {
  auto fiber = Fiber::create(kStack + 1, &keep_locals);
  ASSERT_TRUE(fiber);
  EXPECT_EQ((*fiber)->stack_bytes() % page_size(), 0u);
  EXPECT_GT((*fiber)->stack_bytes(), kStack);
}

TEST(FiberPool, GivesReturnedFibersOutAgain) {
  FiberPool pool(kStack, &keep_locals);
  Fiber* first = pool.take();
  Fiber* second = pool.take();
  EXPECT_NE(first, second);
  pool.give(first);
  EXPECT_EQ(pool.take(), first);
  pool.give(first);
  pool.give(second);
  EXPECT_NE(pool.take(), pool.take());
}

}  // namespace
}  // namespace canopy
