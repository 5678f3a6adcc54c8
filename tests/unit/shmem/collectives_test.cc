// The collectives over their core: every size class, every way between members, in place and not, in a row without
// anything between them.
#include "shmem/collectives/collectives.h"

#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;
using Word = uint64_t;

constexpr test::ThreadWorldOptions kRoomy{.heap_bytes = 64u << 20, .finalize = true, .paths = {}};
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr size_t kSizes[] = {1, 2, 3, 17, 5000};
#else
constexpr size_t kSizes[] = {1, 2, 3, 17, 128, 1000, 5000, 70001};
#endif

Word* words(World& world, size_t count) {
  return static_cast<Word*>(world.host_heap().allocate(HeapRoutine::malloc, count * sizeof(Word), 64));
}

// What member `rank` has at `i` in round `round`.
Word value(int rank, size_t i, int round) {
  return static_cast<Word>(rank + 1) * 1'000'003 + i * 7 + static_cast<Word>(round) * 1'000'000'007;
}

void fill(Word* at, size_t count, int rank, int round) {
  for (size_t i = 0; i < count; ++i) {
    at[i] = value(rank, i, round);
  }
}

const Operation kSum{sizeof(Word), [](void* accumulator, const void* in, size_t nelems) {
                       auto* a = static_cast<Word*>(accumulator);
                       const auto* b = static_cast<const Word*>(in);
                       for (size_t i = 0; i < nelems; ++i) {
                         a[i] += b[i];
                       }
                     }};

class CollectiveOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, CollectiveOfPes, testing::Values(1, 2, 3, 4, 7));

// A second dest keeps a fast member from writing what a slow one still looks at.
struct Dests {
  Word* both[2];
  Dests(World& world, size_t count) : both{words(world, count), words(world, count)} {}
  Word* of(int round) const { return both[round % 2]; }
};

TEST_P(CollectiveOfPes, BroadcastGivesAllTheRootsData) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const size_t most = *std::max_element(std::begin(kSizes), std::end(kSizes));
    const Dests dests(world, most);
    Word* source = words(world, most);
    for (const size_t count : kSizes) {
      for (int round = 0; round < 2 * team.size(); ++round) {
        const int root = round % team.size();
        Word* dest = dests.of(round);
        std::fill_n(dest, count, 0);
        team.sync("test");
        fill(source, count, team.rank(), round);
        const bool written = round < team.size();
        broadcast(team, dest, source, count * sizeof(Word), root,
                  written ? RootDest::written : RootDest::untouched, "test");
        std::fill_n(source, count, 99);  // the source is ours again
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(dest[i], team.rank() == root && !written ? 0 : value(root, i, round)) << count << " " << i;
        }
      }
    }
    team.sync("test");
  }, kRoomy);
}

TEST_P(CollectiveOfPes, FcollectPutsBlocksInOrder) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const auto size = static_cast<size_t>(team.size());
    const size_t most = *std::max_element(std::begin(kSizes), std::end(kSizes));
    const Dests dests(world, most * size);
    Word* source = words(world, most);
    for (const size_t count : kSizes) {
      for (int round = 0; round < 6; ++round) {
        fill(source, count, team.rank(), round);
        fcollect(team, dests.of(round), source, count * sizeof(Word), "test");
        std::fill_n(source, count, 99);
        for (size_t rank = 0; rank < size; ++rank) {
          for (size_t i = 0; i < count; ++i) {
            ASSERT_EQ(dests.of(round)[rank * count + i], value(static_cast<int>(rank), i, round));
          }
        }
        team.sync("test");  // two rounds later the same dest is written
      }
    }
  }, kRoomy);
}

TEST_P(CollectiveOfPes, CollectPacksBlocksOfAnySize) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const size_t most = 3000;
    const Dests dests(world, most * static_cast<size_t>(team.size()));
    Word* source = words(world, most);
    for (int round = 0; round < 20; ++round) {
      const auto count_of = [&](int rank) { return static_cast<size_t>((rank * 37 + round * 61) % (round % 3 == 0 ? 4 : 2999)); };
      fill(source, count_of(team.rank()), team.rank(), round);
      collect(team, dests.of(round), source, count_of(team.rank()) * sizeof(Word), "test");
      size_t at = 0;
      for (int rank = 0; rank < team.size(); ++rank) {
        for (size_t i = 0; i < count_of(rank); ++i, ++at) {
          ASSERT_EQ(dests.of(round)[at], value(rank, i, round)) << rank << " " << i;
        }
      }
      team.sync("test");
    }
  }, kRoomy);
}

TEST_P(CollectiveOfPes, AlltoallTransposesBlocksWithAndWithoutStrides) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const auto size = static_cast<size_t>(team.size());
    const size_t most = 1000;
    const Dests dests(world, most * size * 3);
    Word* source = words(world, most * size * 3);
    for (const size_t count : {size_t{1}, size_t{2}, size_t{100}, most}) {
      for (int round = 0; round < 8; ++round) {
        const Strided strides{1 + round % 3, 1 + round / 3, sizeof(Word)};
        const auto dst = static_cast<size_t>(strides.dest);
        const auto sst = static_cast<size_t>(strides.source);
        Word* dest = dests.of(round);
        std::fill_n(dest, count * size * dst, 5);
        fill(source, count * size * sst, team.rank(), round);
        team.sync("test");
        if (round % 2 == 0) {
          alltoalls(team, dest, source, count, strides, "test");
          for (size_t i = 0; i < count * size * dst; ++i) {
            const size_t element = i / dst;
            const size_t from = element / count;
            const size_t there = static_cast<size_t>(team.rank()) * count + element % count;
            ASSERT_EQ(dest[i], i % dst != 0 ? 5 : value(static_cast<int>(from), there * sst, round)) << i;
          }
        } else {
          alltoall(team, dest, source, count * sizeof(Word), "test");
          for (size_t i = 0; i < count * size; ++i) {
            const size_t there = static_cast<size_t>(team.rank()) * count + i % count;
            ASSERT_EQ(dest[i], value(static_cast<int>(i / count), there, round)) << i;
          }
        }
        team.sync("test");
      }
    }
  }, kRoomy);
}

TEST_P(CollectiveOfPes, ReduceCombinesAllElementsInPlaceAndNot) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const size_t most = *std::max_element(std::begin(kSizes), std::end(kSizes));
    const Dests dests(world, most);
    Word* apart = words(world, most);
    for (const size_t count : kSizes) {
      for (int round = 0; round < 6; ++round) {
        Word* dest = dests.of(round);
        Word* source = round % 3 == 0 ? dest : apart;
        fill(source, count, team.rank(), round);
        reduce(team, dest, source, count, kSum, "test");
        if (source == apart) {
          std::fill_n(source, count, 99);
        }
        for (size_t i = 0; i < count; ++i) {
          Word sum = 0;
          for (int rank = 0; rank < team.size(); ++rank) {
            sum += value(rank, i, round);
          }
          ASSERT_EQ(dest[i], sum) << "count " << count << " round " << round << " at " << i;
        }
        team.sync("test");
      }
    }
  }, kRoomy);
}

TEST_P(CollectiveOfPes, ScansSumUpToEachMember) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const size_t most = *std::max_element(std::begin(kSizes), std::end(kSizes));
    const Dests dests(world, most);
    Word* apart = words(world, most);
    for (const size_t count : kSizes) {
      for (int round = 0; round < 8; ++round) {
        const Scan kind = round % 2 == 0 ? Scan::inclusive : Scan::exclusive;
        Word* dest = dests.of(round / 2);
        Word* source = round % 3 == 0 ? dest : apart;
        fill(source, count, team.rank(), round);
        team.sync("test");
        scan(team, dest, source, count, kSum, kind, "test");
        for (size_t i = 0; i < count; ++i) {
          Word sum = 0;
          for (int rank = 0; rank < team.rank() + (kind == Scan::inclusive ? 1 : 0); ++rank) {
            sum += value(rank, i, round);
          }
          ASSERT_EQ(dest[i], sum) << "count " << count << " round " << round << " at " << i;
        }
        team.sync("test");
      }
    }
  }, kRoomy);
}

// No meeting between them but their own.
TEST_P(CollectiveOfPes, DifferentOnesMayFollowEachOtherAtOnce) {
  thread_world(GetParam(), [](World& world) {
    Team& team = world.teams().all();
    const auto size = static_cast<size_t>(team.size());
    constexpr int kRounds = 100;
    Word* source = words(world, 1);
    Word* sums = words(world, kRounds);
    Word* all = words(world, kRounds * size);
    Word* given = words(world, kRounds);
    for (int round = 0; round < kRounds; ++round) {
      *source = value(team.rank(), 0, round);
      reduce(team, sums + round, source, 1, kSum, "test");
      broadcast(team, given + round, source, sizeof(Word), round % team.size(), RootDest::written, "test");
      fcollect(team, all + static_cast<size_t>(round) * size, source, sizeof(Word), "test");
      Word sum = 0;
      for (size_t rank = 0; rank < size; ++rank) {
        sum += value(static_cast<int>(rank), 0, round);
        ASSERT_EQ(all[static_cast<size_t>(round) * size + rank], value(static_cast<int>(rank), 0, round));
      }
      ASSERT_EQ(sums[round], sum);
      ASSERT_EQ(given[round], value(round % team.size(), 0, round));
    }
    team.sync("test");
  }, kRoomy);
}

TEST(Collective, OfNothingMayPointAnywhere) {
  thread_world(3, [](World& world) {
    Team& team = world.teams().all();
    broadcast(team, nullptr, nullptr, 0, 0, RootDest::written, "test");
    fcollect(team, nullptr, nullptr, 0, "test");
    collect(team, nullptr, nullptr, 0, "test");
    alltoall(team, nullptr, nullptr, 0, "test");
    reduce(team, nullptr, nullptr, 0, kSum, "test");
    scan(team, nullptr, nullptr, 0, kSum, Scan::inclusive, "test");
  });
}

}  // namespace
}  // namespace canopy::shmem
