#include "shmem/rma/rma.h"

#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;

template <class T>
T* symmetric(World& world, size_t count) {
  return static_cast<T*>(world.host_heap().allocate_zeroed(count, sizeof(T)));
}

class RmaOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, RmaOfPes, testing::Values(1, 2, 3, 4));

TEST_P(RmaOfPes, PutsToEveryPeAndGetsFromEveryPe) {
  thread_world(GetParam(), [](World& world) {
    constexpr size_t kCount = 1000;
    const auto n = static_cast<size_t>(world.n_pes());
    const auto me = static_cast<size_t>(world.my_pe());
    int* block = symmetric<int>(world, kCount * n);
    std::vector<int> mine(kCount);
    std::iota(mine.begin(), mine.end(), static_cast<int>(me) * 10000);
    for (int pe = 0; pe < world.n_pes(); ++pe) {
      put<FromHost, sizeof(int)>(block + me * kCount, mine.data(), kCount, pe, "put");
    }
    world.barrier_all();
    for (size_t from = 0; from < n; ++from) {
      EXPECT_EQ(block[from * kCount + 7], static_cast<int>(from) * 10000 + 7);
    }
    std::vector<int> back(kCount * n);
    for (int pe = 0; pe < world.n_pes(); ++pe) {
      get<FromHost, sizeof(int)>(back.data(), block, kCount * n, pe, "get");
      EXPECT_EQ(std::memcmp(back.data(), block, back.size() * sizeof(int)), 0);
    }
    world.barrier_all();
  });
}

TEST_P(RmaOfPes, MovesSingleElementsOfEveryWidth) {
  thread_world(GetParam(), [](World& world) {
    const int to = (world.my_pe() + 1) % world.n_pes();
    const int from = (world.my_pe() + world.n_pes() - 1) % world.n_pes();
    auto* bytes = symmetric<uint8_t>(world, 1);
    auto* wide = symmetric<long double>(world, 1);
    auto* real = symmetric<float>(world, 1);
    p<FromHost>(bytes, static_cast<uint8_t>(world.my_pe() + 1), to, "p");
    p<FromHost>(wide, static_cast<long double>(world.my_pe()) + 0.25L, to, "p");
    p<FromHost>(real, static_cast<float>(world.my_pe()) + 0.5F, to, "p");
    world.barrier_all();
    EXPECT_EQ(*bytes, from + 1);
    EXPECT_EQ(*wide, static_cast<long double>(from) + 0.25L);
    EXPECT_EQ(g<FromHost>(real, to, "g"), static_cast<float>(world.my_pe()) + 0.5F);
    world.barrier_all();
  });
}

TEST_P(RmaOfPes, SignalsAfterTheDataAndAddsUp) {
  thread_world(GetParam(), [](World& world) {
    constexpr int kRounds = 50;
    auto* data = symmetric<uint64_t>(world, 64);
    auto* signal = symmetric<uint64_t>(world, 1);
    const int to = (world.my_pe() + 1) % world.n_pes();
    std::vector<uint64_t> source(64);
    for (uint64_t round = 1; round <= kRounds; ++round) {
      std::fill(source.begin(), source.end(), round);
      put_signal<FromHost, 8>(data, source.data(), 64, signal, uint64_t{1}, SignalChange::add, to,
                              "ps");
      EXPECT_GE(wait_until<FromHost>(signal, Compare::ge, round, "wait"), round);
      EXPECT_EQ(data[63], round);
      world.barrier_all();
    }
    EXPECT_EQ(*signal, static_cast<uint64_t>(kRounds));
    world.barrier_all();
    // Nothing to move: the signal changes all the same.
    put_signal<FromHost, 8>(nullptr, nullptr, 0, signal, uint64_t{7}, SignalChange::set, to, "ps");
    EXPECT_EQ(wait_until<FromHost>(signal, Compare::eq, uint64_t{7}, "wait"), 7u);
  });
}

TEST(Rma, TakesNullPointersForNothing) {
  thread_world(2, [](World&) {
    put<FromHost, 8>(nullptr, nullptr, 0, 1, "put");
    get<FromHost, 8>(nullptr, nullptr, 0, 0, "get");
  });
}

TEST(Rma, CountsWhatTheHostIssued) {
  thread_world(1, [](World& world) {
    auto* word = symmetric<long>(world, 1);
    const OpCounts before = op_counts();
    for (int i = 0; i < 5; ++i) {
      p<FromHost>(word, 1L, 0, "p");
    }
    put_signal<FromHere, 8>(nullptr, nullptr, 0, word, 1L, SignalChange::add, 0, "ps");
    const OpCounts after = op_counts();
    const auto grown = [&](Op op) {
      return after.host[static_cast<size_t>(op)] - before.host[static_cast<size_t>(op)];
    };
    EXPECT_EQ(grown(Op::put), 6u);
    EXPECT_EQ(grown(Op::signal), 1u);
    EXPECT_EQ(after.device[static_cast<size_t>(Op::put)],
              before.device[static_cast<size_t>(Op::put)]);
  });
}

TEST(RmaDeathTest, RefusesARangeThatLeavesTheHeap) {
  EXPECT_EXIT(thread_world(1,
                           [](World& world) {
                             auto* word = symmetric<long>(world, 1);
                             volatile size_t nelems =
                                 ~size_t{0} / 8;  // not for the compiler to see
                             put<FromHost, 8>(word, word, nelems, 0, "shmem_put64");
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "shmem_put64: .* elements of 8 bytes at .* reach past the end of the symmetric heap");
}

}  // namespace
}  // namespace canopy::shmem
