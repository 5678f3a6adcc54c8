// Kernels are threads here: one that has entered FakeKernel is a block on a core of its own, as
// KernelSide would say of a fiber.
#include "shmem/device/kernel_requests.h"

#include "shmem/amo/amo.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "shmem/world/far_paths.h"
#include "tests/support/thread_world.h"
#include "tests/unit/base/thread_limit.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <cstdlib>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;

thread_local uint64_t t_core = 0;  // 0: host code
std::atomic<uint64_t> next_core{1};

class FakeKernel {
 public:
  FakeKernel() { t_core = next_core.fetch_add(1, std::memory_order_relaxed); }
  ~FakeKernel() { t_core = 0; }

  static void enter_runtime() {
    register_kernel_side({.in_kernel = [] { return static_cast<int>(t_core != 0); },
                          .wait_until =
                              [](int (*ready)(void*), void* arg, const char*, const AwaitedWord*) {
                                while (ready(arg) == 0) {
                                  sched_yield();
                                }
                              },
                          .core = [] { return t_core; }});
  }
};

// Everything to everybody is posted, with the faults of `faulty`.
test::ThreadWorldOptions posted(const char* faulty) {
  test::ThreadWorldOptions options;
  options.paths = PathWish{.way = PathWay::faulty, .faulty = faulty};
  return options;
}

class KernelRequestsOver : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { FakeKernel::enter_runtime(); }
  static void TearDownTestSuite() { register_kernel_side({}); }
};
INSTANTIATE_TEST_SUITE_P(Faults, KernelRequestsOver,
                         testing::Values("seed=1", "seed=2,delay=5,reorder",
                                         "seed=3,again=30,window=2,delay=2"),
                         [](const auto& info) { return "set" + std::to_string(info.index); });

uint64_t* words(World& world, size_t count) {
  return static_cast<uint64_t*>(world.host_heap().allocate_zeroed(count, 64));
}

TEST_P(KernelRequestsOver, DoWhatTheirHostFormsDo) {
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 64);
        const int other = 1 - world.my_pe();
        {
          const FakeKernel kernel;
          std::vector<uint64_t> source(100, 7);
          put<FromHere, 8>(base, source.data(), source.size(), other, "put");
          source.assign(100, 0);  // reusable on return
          p<FromHere>(base + 100, uint64_t{9}, other, "p");
          quiet("quiet");
          EXPECT_EQ(g<FromHere>(base + 100, other, "g"), 9u);
          EXPECT_EQ(amo_fetch_add<FromHere>(base + 101, uint64_t{5}, other, "add"), 0u);
          EXPECT_EQ(amo_fetch<FromHere>(base + 101, other, "fetch"), 5u);
          std::vector<uint64_t> back(100);
          get<FromHere, 8>(back.data(), base, 100, other, "get");
          EXPECT_EQ(back, std::vector<uint64_t>(100, 7));
          put_signal<FromHere, 8>(base + 104, back.data(), 8,
                                  reinterpret_cast<int32_t*>(base + 120), 3, SignalChange::add,
                                  other, "ps");
          EXPECT_EQ(
              wait_until<FromHere>(reinterpret_cast<int32_t*>(base + 120), Compare::eq, 3, "wait"),
              3);
          EXPECT_EQ(base[104], 7u);
          world.barrier_all();
        }
        world.barrier_all();
      },
      posted(GetParam()));
}

TEST_P(KernelRequestsOver, AreThereWithoutAThreadForThem) {
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 201);
        world.barrier_all();
        if (world.my_pe() == 0) {  // the limit is the process's
          test::ThreadLimit::refuse_from(1);
          const FakeKernel kernel;
          for (uint64_t round = 1; round <= 200; ++round) {
            p<FromHere>(base + round, round, 1, "p");
          }
          quiet("quiet");
          for (uint64_t round = 1; round <= 200; ++round) {
            EXPECT_EQ(g<FromHere>(base + round, 1, "g"), round);
          }
          EXPECT_GE(test::ThreadLimit::asked(), 1);
          test::ThreadLimit::lift();
        }
        world.barrier_all();
      },
      posted(GetParam()));
}

TEST_P(KernelRequestsOver, KeepDataBeforeTheFlagBehindAFence) {
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 2);
        const FakeKernel kernel;
        for (uint64_t round = 1; round <= 200; ++round) {
          if (world.my_pe() == 0) {
            p<FromHere>(base, round, 1, "p");
            fence("fence");
            p<FromHere>(base + 8, round, 1, "p");
          } else {
            wait_until<FromHere>(base + 8, Compare::ge, round, "wait");
            ASSERT_GE(*base, round);
          }
          world.barrier_all();
        }
      },
      posted(GetParam()));
}

TEST_P(KernelRequestsOver, CompleteWhatNobodyWaitsFor) {
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 1);
        if (world.my_pe() == 0) {
          const FakeKernel kernel;
          p<FromHere>(base, uint64_t{42}, 1, "p");  // and nothing more: no wait, no quiet
        } else {
          wait_until<FromHost>(base, Compare::eq, uint64_t{42}, "wait");
        }
        world.sync();
      },
      posted(GetParam()));
}

TEST_P(KernelRequestsOver, AreCoveredByAQuietOfTheHost) {
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 8);
        for (uint64_t round = 1; round <= 50; ++round) {
          if (world.my_pe() == 0) {
            const FakeKernel kernel;
            for (int i = 0; i < 8; ++i) {
              p<FromHere>(base + i, round, 1, "p");
            }
          }
          world.barrier_all();
          for (int i = 0; i < 8 && world.my_pe() == 1; ++i) {
            ASSERT_EQ(base[i], round);
          }
          world.barrier_all();
        }
      },
      posted(GetParam()));
}

TEST(KernelRequests, WaitWhenTheirRingIsFullAndCountIt) {
  FakeKernel::enter_runtime();
  ::setenv("CANOPY_REQUEST_RING", "2", 1);
  const auto before = op_counts();
  thread_world(
      2,
      [](World& world) {
        uint64_t* base = words(world, 64);
        if (world.my_pe() == 0) {
          const FakeKernel kernel;
          for (uint64_t i = 0; i < 200; ++i) {
            p<FromHere>(base + i, i + 1, 1, "p");
          }
          quiet("quiet");
        }
        world.barrier_all();
        for (uint64_t i = 0; i < 200 && world.my_pe() == 1; ++i) {
          ASSERT_EQ(base[i], i + 1);
        }
      },
      posted("seed=1,delay=20"));
  ::unsetenv("CANOPY_REQUEST_RING");
  register_kernel_side({});
  EXPECT_GT(op_counts().device[static_cast<size_t>(Op::ring_full)],
            before.device[static_cast<size_t>(Op::ring_full)]);
}

TEST(KernelRequestsDeathTest, EndTheJobWithPeAndCauseWhenTheyFail) {
  const auto run = [] {
    FakeKernel::enter_runtime();
    thread_world(
        2,
        [](World& world) {
          uint64_t* base = words(world, 1);
          const FakeKernel kernel;
          for (;;) {
            amo_fetch_add<FromHere>(base, uint64_t{1}, 1 - world.my_pe(), "aclshmem_add");
          }
        },
        posted("seed=5,fail=60,only=1"));
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kPeerLostStatus),
              "pe 1: aclshmem_add to PE 0 on host .* failed");
}

}  // namespace
}  // namespace canopy::shmem
