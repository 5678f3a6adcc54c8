// Teams: what splits make, what they refuse, and how their members talk.
#include "shmem/team/team_book.h"

#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;

class TeamOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, TeamOfPes, testing::Values(1, 2, 3, 4, 7));

TEST_P(TeamOfPes, OfAllHasEverybodyInOrder) {
  thread_world(GetParam(), [](World& world) {
    Team& all = world.teams().all();
    ASSERT_EQ(all.size(), world.n_pes());
    EXPECT_EQ(all.rank(), world.my_pe());
    for (int rank = 0; rank < all.size(); ++rank) {
      EXPECT_EQ(all.pe(rank), rank);
    }
    Team& shared = world.teams().shared();
    EXPECT_GE(shared.rank(), 0);
    EXPECT_TRUE(shared.all_near());
  });
}

TEST_P(TeamOfPes, ExchangesGiveEachMembersPartToAll) {
  thread_world(GetParam(), [](World& world) {
    Team& all = world.teams().all();
    for (uint64_t round = 1; round <= 200; ++round) {
      Payload mine;
      const uint64_t value = round * 100 + static_cast<uint64_t>(all.rank());
      std::memcpy(mine.bytes, &value, sizeof value);
      const std::vector<Payload> parts = all.exchange_all(mine, "test");
      for (int rank = 0; rank < all.size(); ++rank) {
        uint64_t seen = 0;
        std::memcpy(&seen, parts[static_cast<size_t>(rank)].bytes, sizeof seen);
        ASSERT_EQ(seen, round * 100 + static_cast<uint64_t>(rank));
      }
    }
  });
}

TEST_P(TeamOfPes, WhatIsToldIsCountedAndBringsWhatWasPut) {
  thread_world(GetParam(), [](World& world) {
    Team& all = world.teams().all();
    auto* word = static_cast<uint64_t*>(world.host_heap().allocate(HeapRoutine::malloc, 4096, 64));
    uint64_t given[64];
    const int next = (all.rank() + 1) % all.size();
    const int before = (all.rank() + all.size() - 1) % all.size();
    for (uint64_t round = 0; all.size() > 1 && round < 64; ++round) {  // nobody waits for the reader: a word each
      given[round] = round;
      all.put(next, word + round, &given[round], sizeof round, "test");
      all.tell(next, "test");
    }
    all.quiet("test");
    for (uint64_t round = 0; all.size() > 1 && round < 64; ++round) {
      all.await(before, "test");
      ASSERT_EQ(word[round], round);
    }
    all.sync("test");
  });
}

std::vector<int> pes_of(World& world, const TeamBook::Split& split) {
  Team* team = split.handle == nullptr ? nullptr : world.teams().find(split.handle);
  return team == nullptr ? std::vector<int>() : team->pes();
}

TEST_P(TeamOfPes, EveryTripletThatFitsMakesATeamAndNoOther) {
  const int n = GetParam();
  thread_world(n, [n](World& world) {
    TeamBook& book = world.teams();
    for (int start = -1; start <= n; ++start) {
      for (int stride = -2; stride <= 2; ++stride) {
        for (int size = 0; size <= n; ++size) {
          std::vector<int> wanted;
          bool good = size > 0 && (stride != 0 || size == 1);
          for (int rank = 0; rank < size; ++rank) {
            wanted.push_back(start + rank * stride);
            good = good && wanted.back() >= 0 && wanted.back() < n;
          }
          const TeamBook::Split split = book.split_strided(book.all(), {start, stride, size}, 0);
          ASSERT_EQ(split.good, good) << start << " " << stride << " " << size;
          const bool member = good && std::find(wanted.begin(), wanted.end(), world.my_pe()) != wanted.end();
          ASSERT_EQ(split.handle != nullptr, member);
          if (member) {
            EXPECT_EQ(pes_of(world, split), wanted);
            book.find(split.handle)->sync("test");  // at once
            ASSERT_TRUE(book.destroy(split.handle));
            EXPECT_FALSE(book.destroy(split.handle)) << "dead";
          }
        }
      }
    }
    error_text::take_newest();
  });
}

TEST_P(TeamOfPes, ATeamIsSplitInRowsAndColumns) {
  const int n = GetParam();
  thread_world(n, [n](World& world) {
    TeamBook& book = world.teams();
    for (int xrange = 1; xrange <= n + 1; ++xrange) {
      const auto [x, y] = book.split_2d(book.all(), xrange, 1, 2);
      ASSERT_TRUE(x.good && y.good);
      std::vector<int> row;
      std::vector<int> column;
      for (int pe = 0; pe < n; ++pe) {
        if (pe / xrange == world.my_pe() / xrange) {
          row.push_back(pe);
        }
        if (pe % xrange == world.my_pe() % xrange) {
          column.push_back(pe);
        }
      }
      EXPECT_EQ(pes_of(world, x), row);
      EXPECT_EQ(pes_of(world, y), column);
      EXPECT_EQ(book.find(x.handle)->num_contexts(), 1);
      EXPECT_EQ(book.find(y.handle)->num_contexts(), 2);
      ASSERT_TRUE(book.destroy(x.handle));
      ASSERT_TRUE(book.destroy(y.handle));
    }
    const auto [x, y] = book.split_2d(book.all(), 0, 0, 0);
    EXPECT_FALSE(x.good || y.good || x.handle != nullptr || y.handle != nullptr);
    error_text::take_newest();
  });
}

TEST(Team, ManyMayLiveAtATimeAndMoreAreRefusedOnAllMembers) {
  thread_world(2, [](World& world) {
    TeamBook& book = world.teams();
    std::vector<void*> made;
    for (;;) {
      // PE 1 alone is a member of more and more: the last fails on PE 0, too.
      const TeamBook::Split split = book.split_strided(book.all(), {1, 1, 1}, 0);
      if (!split.good) {
        break;
      }
      made.push_back(split.handle);
    }
    EXPECT_EQ(made.size(), TeamArea::kTeams - 2);
    if (world.my_pe() == 1) {
      EXPECT_NE(error_text::take_newest().find("1024 teams"), std::string::npos);
      for (void* handle : made) {
        ASSERT_TRUE(book.destroy(handle));
      }
    }
    const TeamBook::Split again = book.split_strided(book.all(), {0, 1, 2}, 0);
    ASSERT_TRUE(again.good);
    book.find(again.handle)->sync("test");
  });
}

TEST(Team, OneOfAUsedAreaStartsAfresh) {
  thread_world(3, [](World& world) {
    TeamBook& book = world.teams();
    for (int round = 0; round < 300; ++round) {
      const Triplet triplet = round % 2 == 0 ? Triplet{0, 1, 3} : Triplet{2, -1, 3};
      const TeamBook::Split split = book.split_strided(book.all(), triplet, 0);
      ASSERT_TRUE(split.good);
      Team& team = *book.find(split.handle);
      for (int i = 0; i < round % 4; ++i) {
        team.sync("test");
        team.exchange_all({}, "test");
      }
      ASSERT_TRUE(book.destroy(split.handle));
    }
  });
}

TEST(Team, TeamsOfDifferentThreadsMayCommunicateAtTheSameTime) {
  thread_world(2, [](World& world) {
    TeamBook& book = world.teams();
    Team* teams[2];
    for (Team*& team : teams) {
      team = book.find(book.split_strided(book.all(), {0, 1, 2}, 0).handle);
    }
    std::thread other([&] {
      set_current(const_cast<Hot*>(&world.hot()), true);
      for (int i = 0; i < 500; ++i) {
        teams[1]->sync("test");
      }
      set_current(nullptr, true);
    });
    for (int i = 0; i < 500; ++i) {
      teams[0]->sync("test");
    }
    other.join();
  });
}

// An active set is made at its first use, by its members alone.
TEST_P(TeamOfPes, ActiveSetsNeedNobodyElse) {
  const int n = GetParam();
  thread_world(n, [n](World& world) {
    // One for each set, as programs have a pSync for each that may be in use at a time.
    auto* mailboxes = static_cast<uint64_t*>(world.host_heap().allocate_zeroed(200, 8));
    for (int round = 0; round < 3; ++round) {
      uint64_t* mailbox = mailboxes;
      for (int start = 0; start < n; ++start) {
        for (const int stride : {1, 2}) {
          for (int size = 1; start + (size - 1) * stride < n; ++size) {
            const Triplet set{start, stride, size};
            ++mailbox;
            if (set.rank_of(world.my_pe()) < 0) {
              continue;
            }
            const Result<Team*> team = world.teams().active_set(set, mailbox, "test");
            ASSERT_TRUE(team);
            Payload mine;
            mine.bytes[0] = std::byte(world.my_pe());
            const auto parts = (*team)->exchange_all(mine, "test");
            for (int rank = 0; rank < size; ++rank) {
              ASSERT_EQ(parts[static_cast<size_t>(rank)].bytes[0], std::byte(set.at(rank)));
            }
            ASSERT_EQ(load_acquire(mailbox), 0u);
          }
        }
      }
    }
    world.barrier_all();
  });
}

}  // namespace
}  // namespace canopy::shmem
