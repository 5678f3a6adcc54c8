// canopy_kernel_assert: a failing kernel fails its task, and nothing else.
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <tuple>

namespace canopy::test {
namespace {

struct Work {
  std::atomic<uint32_t> ran{0};
  std::atomic<uint32_t> started{0};
};

void fail_now(const void*) { canopy_assert(1 + 1 == 3); }
void add_one(const void* args) { (*static_cast<Work* const*>(args))->ran.fetch_add(1); }

constexpr int32_t kVectorTrap = fault_code(DeviceFault::trap, CoreKind::vector);

class Assert : public testing::TestWithParam<std::tuple<uint32_t, uint32_t>> {
 protected:
  uint32_t blocks() const { return std::get<0>(GetParam()); }
  uint32_t executors() const { return std::get<1>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Assert, testing::Combine(testing::Values(1u, 48u), testing::Values(1u, 2u)));

TEST_P(Assert, FailsItsTaskAndTheNextThousandLaunchesWork) {
  const KernelImage fails = image_of("fail_now", &fail_now);
  const KernelImage adds = image_of("add_one", &add_one);
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  Work work;
  Work* args = &work;
  for (int round = 0; round < 3; ++round) {
    stream.kernel(fails, blocks(), nullptr);
    for (int i = 0; i < 1'000; ++i) {
      stream.kernel(adds, blocks(), &args);
    }
    stream.sync();
    EXPECT_EQ(stream.strand().take_error(), kVectorTrap);
    EXPECT_EQ(stream.strand().take_error(), 0) << "an error is reported once";
  }
  EXPECT_EQ(work.ran.load(), 3'000 * blocks());
}

TEST_P(Assert, DoesNotTouchOtherStreams) {
  const KernelImage fails = image_of("fail_now", &fail_now);
  const KernelImage adds = image_of("add_one", &add_one);
  Rig rig({.executors = executors()});
  RigStream bad(rig);
  RigStream good(rig);
  Work work;
  Work* args = &work;
  for (int i = 0; i < 100; ++i) {
    bad.kernel(fails, 1, nullptr);
    good.kernel(adds, blocks(), &args);
  }
  bad.sync();
  good.sync();
  EXPECT_EQ(work.ran.load(), 100 * blocks());
  EXPECT_EQ(good.strand().take_error(), 0);
  EXPECT_EQ(bad.strand().take_error(), kVectorTrap);
}

TEST_P(Assert, OfOneBlockEndsTheTask) {
  const KernelImage image = image_of("fail_last", [](const void* args) {
    canopy_yield();
    canopy_assert(GetBlockIdx() + 1 != GetBlockNum());
    (*static_cast<Work* const*>(args))->ran.fetch_add(1);
  });
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  Work work;
  Work* args = &work;
  stream.kernel(image, blocks(), &args);
  stream.sync();
  EXPECT_EQ(stream.strand().take_error(), kVectorTrap);
  EXPECT_LT(work.ran.load(), blocks()) << "the others end as well, or have ended before";
}

TEST_P(Assert, AfterAWaitFailsTheTaskAsWell) {
  const KernelImage image = image_of("fail_late", [](const void*) {
    SyncAll();
    canopy_yield();
    SyncAll();
    canopy_assert(GetBlockIdx() % 5 != 0);
  });
  const KernelImage adds = image_of("add_one", &add_one);
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  Work work;
  Work* args = &work;
  for (int i = 0; i < 20; ++i) {
    stream.kernel(image, blocks(), nullptr);
    stream.kernel(adds, blocks(), &args);
    stream.sync();
    ASSERT_EQ(stream.strand().take_error(), kVectorTrap);
  }
  EXPECT_EQ(work.ran.load(), 20 * blocks());
}

// As on a card, where a trap ends the task: blocks that wait for one that is gone must not hang it.
TEST_P(Assert, EndsTheTaskAlthoughOtherBlocksWaitInSyncAll) {
  const KernelImage image = image_of("fail_one", [](const void* args) {
    auto& work = **static_cast<Work* const*>(args);
    const bool fails = work.started.fetch_add(1) % 7 == 3 || GetBlockNum() == 1;
    for (uint32_t i = 0; i < GetBlockIdx() % 3; ++i) {
      canopy_yield();
    }
    canopy_assert(!fails);
    SyncAll();
    work.ran.fetch_add(1);
  });
  const KernelImage adds = image_of("add_one", &add_one);
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  for (int i = 0; i < 50; ++i) {
    Work work;
    Work* args = &work;
    stream.kernel(image, blocks(), &args);
    stream.sync();
    ASSERT_EQ(stream.strand().take_error(), kVectorTrap);
    ASSERT_EQ(work.ran.load(), 0u);
    stream.kernel(adds, blocks(), &args);
    stream.sync();
    ASSERT_EQ(work.ran.load(), blocks());
    ASSERT_EQ(stream.strand().take_error(), 0);
  }
}

TEST_P(Assert, EndsTheTaskAlthoughOtherBlocksWaitForAFlag) {
  const KernelImage image = image_of("fail_flag", [](const void* args) {
    auto& work = **static_cast<Work* const*>(args);
    if (GetBlockIdx() == GetBlockNum() / 2) {
      canopy_yield();
      canopy_assert(false);
    }
    canopy_flag_wait(1);
    work.ran.fetch_add(1);
  });
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  for (int i = 0; i < 20; ++i) {
    Work work;
    Work* args = &work;
    stream.kernel(image, blocks(), &args);
    stream.sync();
    ASSERT_EQ(stream.strand().take_error(), kVectorTrap);
    ASSERT_EQ(work.ran.load(), 0u);
  }
}

TEST(AssertCode, NamesTheKindOfCore) {
  Rig rig;
  RigStream stream(rig);
  for (CoreKind kind : {CoreKind::cube, CoreKind::vector, CoreKind::mix}) {
    const KernelImage image = image_of("fail_now", &fail_now, kind);
    stream.kernel(image, 1, nullptr);
    stream.sync();
    EXPECT_EQ(stream.strand().take_error(), fault_code(DeviceFault::trap, kind));
  }
}

TEST(AssertCode, TheFirstErrorOfAStreamStays) {
  Rig rig;
  RigStream stream(rig);
  const KernelImage cube = image_of("fail_now", &fail_now, CoreKind::cube);
  const KernelImage vector = image_of("fail_now", &fail_now, CoreKind::vector);
  stream.kernel(cube, 1, nullptr);
  stream.kernel(vector, 1, nullptr);
  stream.sync();
  EXPECT_EQ(stream.strand().take_error(), fault_code(DeviceFault::trap, CoreKind::cube));
}

TEST(AssertCode, ABlockThatFailsGivesItsCoreAndBufferBack) {
  const KernelImage image = image_of("fail_with_buffer", [](const void*) {
    *static_cast<volatile char*>(canopy_unified_buffer(nullptr)) = 1;
    canopy_assert(false);
  });
  Rig rig({.executors = 1, .vector_cores = 2});
  RigStream stream(rig);
  for (int i = 0; i < 100; ++i) {
    stream.kernel(image, 5, nullptr);
  }
  stream.sync();
  EXPECT_GE(rig.cores.pool(CoreKind::vector).acquire(), 0);
  EXPECT_GE(rig.cores.pool(CoreKind::vector).acquire(), 0);
}

TEST(AssertOutside, AKernelEndsTheProcess) { EXPECT_DEATH(canopy_assert(2 > 3), "2 > 3"); }

void meet(const void*) { SyncAll(); }

TEST(SyncAll, AmongMoreBlocksThanCoresFailsItsTask) {
  const KernelImage meets = image_of("meet", &meet);
  for (uint32_t executors : {1u, 2u}) {
    Rig rig({.executors = executors});
    RigStream stream(rig);
    stream.kernel(meets, 49, nullptr);
    stream.sync();
    EXPECT_EQ(stream.strand().take_error(), kVectorTrap);
    stream.kernel(meets, 48, nullptr);
    stream.sync();
    EXPECT_EQ(stream.strand().take_error(), 0);
  }
}

}  // namespace
}  // namespace canopy::test
