// Litmus tests of the ordering table (shmem/README.md). They can only catch, never prove.
#include "shmem/amo/amo.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;
#if defined(__SANITIZE_THREAD__)
constexpr int kRounds = 300;
#else
constexpr int kRounds = 3000;
#endif

uint64_t* words(World& world, size_t count) {
  return static_cast<uint64_t*>(world.host_heap().allocate_zeroed(count, 64));
}
// The i-th word, on a cache line of its own.
uint64_t* word(uint64_t* base, size_t i) { return base + 8 * i; }

TEST(Ordering, QuietLetsNotBothPesMissTheOthersPut) {
  thread_world(2, [](World& world) {
    uint64_t* base = words(world, 2);
    uint64_t* seen = words(world, 1);
    const auto me = static_cast<size_t>(world.my_pe());
    const int other = 1 - world.my_pe();
    int misses = 0;
    for (uint64_t round = 1; round <= kRounds; ++round) {
      world.sync();
      // Store buffering: put mine to the other, quiet, read what the other put to me.
      p<FromHost>(word(base, me), round, other, "p");
      quiet("quiet");
      const uint64_t got = g<FromHost>(word(base, 1 - me), world.my_pe(), "g");
      p<FromHost>(word(seen, 0), got, world.my_pe(), "p");
      world.barrier_all();
      misses += got < round && g<FromHost>(word(seen, 0), other, "g") < round;
      world.sync();
    }
    EXPECT_EQ(misses, 0);
  });
}

TEST(Ordering, FenceKeepsDataBeforeItsFlag) {
  thread_world(2, [](World& world) {
    uint64_t* base = words(world, 2);
    for (uint64_t round = 1; round <= kRounds; ++round) {
      if (world.my_pe() == 0) {
        p<FromHost>(word(base, 0), round, 1, "p");
        fence("fence");
        p<FromHost>(word(base, 1), round, 1, "p");
      } else {
        wait_until<FromHost>(word(base, 1), Compare::ge, round, "wait");
        EXPECT_GE(*word(base, 0), round);
      }
      world.sync();
    }
  });
}

TEST(Ordering, PutSignalAnnouncesItsOwnData) {
  thread_world(4, [](World& world) {
    // Everybody sends to its right neighbour; the slot is free again once the receiver said so.
    uint64_t* data = words(world, 16);
    uint64_t* signals = words(world, 2);
    const int right = (world.my_pe() + 1) % 4;
    const int left = (world.my_pe() + 3) % 4;
    std::vector<uint64_t> source(16 * 8);
    for (uint64_t round = 1; round <= kRounds / 10; ++round) {
      std::fill(source.begin(), source.end(), round);
      put_signal<FromHost, 8>(data, source.data(), source.size(), word(signals, 0), round,
                              SignalChange::set, right, "ps");
      wait_until<FromHost>(word(signals, 0), Compare::eq, round, "wait");
      for (size_t i = 0; i < source.size(); ++i) {
        ASSERT_EQ(data[i], round);
      }
      signal_op<FromHost>(word(signals, 1), round, SignalChange::set, left, "op");
      wait_until<FromHost>(word(signals, 1), Compare::eq, round, "wait");
    }
  });
}

TEST(Ordering, BarrierShowsEveryPutToEveryPe) {
  thread_world(4, [](World& world) {
    uint64_t* base = words(world, 4);
    for (uint64_t round = 1; round <= kRounds / 10; ++round) {
      for (int pe = 0; pe < 4; ++pe) {
        p<FromHost>(word(base, static_cast<size_t>(world.my_pe())), round, pe, "p");
      }
      world.barrier_all();
      for (size_t from = 0; from < 4; ++from) {
        ASSERT_EQ(*word(base, from), round);
      }
      world.sync();
    }
  });
}

TEST(Ordering, AmosOfAllPesAreOneOrder) {
  // Two writers set x and y; two readers must not see them in opposite orders.
  thread_world(4, [](World& world) {
    uint64_t* base = words(world, 2);
    uint64_t* seen = words(world, 4);
    for (uint64_t round = 1; round <= kRounds / 10; ++round) {
      world.sync();
      const int me = world.my_pe();
      if (me < 2) {
        amo_set<FromHost>(word(base, static_cast<size_t>(me)), round, 0, "set");
      } else {
        const auto first = static_cast<size_t>(me - 2);
        const uint64_t a = amo_fetch<FromHost>(word(base, first), 0, "fetch");
        const uint64_t b = amo_fetch<FromHost>(word(base, 1 - first), 0, "fetch");
        p<FromHost>(word(seen, first), uint64_t{a == round && b < round}, 0, "p");
      }
      world.barrier_all();
      if (me == 0) {
        EXPECT_FALSE(*word(seen, 0) == 1 && *word(seen, 1) == 1);
      }
    }
  });
}

}  // namespace
}  // namespace canopy::shmem
