#include "shmem/context/open_context.h"

#include "shmem/amo/amo.h"
#include "shmem/rma/strided.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;

template <class T>
T* symmetric(World& world, size_t count) {
  return static_cast<T*>(world.host_heap().allocate_zeroed(count, sizeof(T)));
}

ContextHandle create(World& world, ContextTeam team = {}) {
  auto created = world.contexts().create({}, std::move(team));
  EXPECT_TRUE(created) << error_text::newest();
  return created ? *created : nullptr;
}

class ContextOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, ContextOfPes, testing::Values(1, 2, 3, 4));

TEST_P(ContextOfPes, MovesWhatTheDefaultContextMoves) {
  thread_world(GetParam(), [](World& world) {
    const int right = (world.my_pe() + 1) % world.n_pes();
    const int left = (world.my_pe() + world.n_pes() - 1) % world.n_pes();
    long* words = symmetric<long>(world, 8);
    const ContextHandle context = create(world);
    const Hot& hot = hot_of(context);
    const long mine = world.my_pe() + 1;
    p<FromHost>(hot, words, mine, right, "p");
    put<FromHost, 8>(hot, words + 1, &mine, 1, right, "put");
    long old = -1;
    amo<FromHost, AmoOp::add>(hot, words + 2, mine, 0L, right, "add");
    amo_nbi<FromHost, AmoOp::swap>(hot, &old, words + 3, mine, 0L, right, "swap_nbi");
    int narrow_old = -1;
    amo_nbi<FromHost, AmoOp::add>(hot, &narrow_old, reinterpret_cast<int*>(words + 4), 5, 0, right,
                                  "add_nbi");
    quiet(hot, "quiet");
    EXPECT_EQ(old, 0);
    EXPECT_EQ(narrow_old, 0);
    world.barrier_all();
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(words[i], left + 1) << i;
    }
    EXPECT_EQ(g<FromHost>(hot, words, right, "g"), mine);
    world.contexts().destroy(context, "destroy");
    world.barrier_all();
  });
}

TEST_P(ContextOfPes, CountsPesAsItsTeamDoes) {
  thread_world(GetParam(), [](World& world) {
    // A team of all PEs, the other way round.
    ContextTeam backwards;
    for (int pe = world.n_pes() - 1; pe >= 0; --pe) {
      backwards.pes.push_back(pe);
    }
    backwards.team = &world;
    const ContextHandle context = create(world, backwards);
    int* words = symmetric<int>(world, static_cast<size_t>(world.n_pes()));
    for (int pe = 0; pe < world.n_pes(); ++pe) {
      p<FromHost>(hot_of(context), words + world.my_pe(), 100 + pe, pe, "p");
    }
    quiet(hot_of(context), "quiet");
    world.barrier_all();
    for (int from = 0; from < world.n_pes(); ++from) {
      EXPECT_EQ(words[from], 100 + world.n_pes() - 1 - world.my_pe());
    }
    world.barrier_all();
    world.contexts().destroy_all_of(&world, "destroy");
    EXPECT_TRUE(is_dead(hot_of(context)));
  });
}

TEST(Context, KnowsItsHandleOnlyWhileItLives) {
  thread_world(1, [](World& world) {
    EXPECT_EQ(&hot_of(reinterpret_cast<ContextHandle>(kDefaultContext)), &current_hot());
    EXPECT_TRUE(is_dead(hot_of(nullptr)));
    const ContextHandle first = create(world);
    EXPECT_EQ(hot_of(first).world, &world);
    world.contexts().destroy(first, "destroy");
    EXPECT_TRUE(is_dead(hot_of(first)));
    // The slot is taken again, by another handle.
    const ContextHandle second = create(world);
    EXPECT_NE(first, second);
    EXPECT_TRUE(is_dead(hot_of(first)));
    EXPECT_FALSE(is_dead(hot_of(second)));
  });
}

TEST(Context, GoesWithItsWorldAndComesInNumbers) {
  std::vector<ContextHandle> handles;
  thread_world(1, [&](World& world) {
    for (int i = 0; i < 1000; ++i) {
      handles.push_back(create(world));
    }
    EXPECT_EQ(std::set<ContextHandle>(handles.begin(), handles.end()).size(), handles.size());
  });
  for (ContextHandle handle : handles) {
    EXPECT_TRUE(is_dead(hot_of(handle)));
  }
}

TEST(Context, SaysSoWhenThereIsNoSlotLeft) {
  if (std::getenv("CANOPY_FAULTY") != nullptr) {
    GTEST_SKIP() << "each context would have one of the transport: 65536 of them are too many";
  }
  thread_world(1, [](World& world) {
    size_t made = 0;
    while (world.contexts().create({}).has_value()) {
      ++made;
    }
    EXPECT_EQ(made, kContextSlots - 2);
    EXPECT_NE(error_text::newest().find("there are 65534 contexts already"), std::string::npos);
  });
}

TEST(ContextDeathTest, NamesADestroyedContext) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      thread_world(1,
                   [](World& world) {
                     long* word = symmetric<long>(world, 1);
                     const ContextHandle context = create(world);
                     world.contexts().destroy(context, "destroy");
                     p<FromHost>(hot_of(context), word, 1L, 0, "shmem_ctx_long_p");
                   }),
      testing::ExitedWithCode(kMisuseStatus),
      "pe 0: shmem_ctx_long_p on context 0x[0-9a-f]+, which does not exist: it was destroyed");
  EXPECT_EXIT(thread_world(1,
                           [](World& world) {
                             long* word = symmetric<long>(world, 1);
                             p<FromHost>(hot_of(nullptr), word, 1L, 0, "shmem_ctx_long_p");
                           }),
              testing::ExitedWithCode(kMisuseStatus), "shmem_ctx_long_p on SHMEM_CTX_INVALID");
}

#ifdef CANOPY_DEBUG_CHECKS
TEST(ContextDeathTest, NamesAPrivateContextInAnotherThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(thread_world(1,
                           [](World& world) {
                             long* word = symmetric<long>(world, 1);
                             const auto made = world.contexts().create({.is_private = true});
                             const std::jthread other([&] {
                               p<FromHost>(hot_of(*made), word, 1L, 0, "shmem_ctx_long_p");
                             });
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "was created with SHMEM_CTX_PRIVATE by another thread than the one that uses it");
}
#endif

// ---- Strided, over the default context and over one of its own.

TEST_P(ContextOfPes, StridesOnBothSides) {
  thread_world(GetParam(), [](World& world) {
    const int right = (world.my_pe() + 1) % world.n_pes();
    constexpr size_t kCount = 300;  // more gets than are under way at a time
    int* there = symmetric<int>(world, 3 * kCount);
    std::vector<int> mine(2 * kCount);
    for (size_t i = 0; i < kCount; ++i) {
      mine[2 * i] = static_cast<int>(i) + 1;
    }
    const ContextHandle context = create(world);
    for (const Hot* hot : {&current_hot(), &hot_of(context)}) {
      strided<FromHost, 4, Direction::put>(*hot, there, mine.data(), {3, 2, 1, kCount}, right,
                                           "iput");
      quiet(*hot, "quiet");
      world.barrier_all();
      for (size_t i = 0; i < kCount; ++i) {
        ASSERT_EQ(there[3 * i], static_cast<int>(i) + 1);
        ASSERT_EQ(there[3 * i + 1], 0);
      }
      std::vector<int> back(2 * kCount);
      strided<FromHost, 4, Direction::get>(*hot, back.data(), there, {2, 3, 1, kCount}, right,
                                           "iget");
      EXPECT_EQ(back, mine);
      world.barrier_all();
      std::fill(there, there + 3 * kCount, 0);
      world.barrier_all();
    }
  });
}

TEST_P(ContextOfPes, StridesByBlocks) {
  thread_world(GetParam(), [](World& world) {
    const int right = (world.my_pe() + 1) % world.n_pes();
    auto* there = symmetric<short>(world, 100);
    const std::array<short, 9> mine{1, 2, 3, 4, 5, 6, 7, 8, 9};
    strided<FromHost, 2, Direction::put>(current_hot(), there, mine.data(), {5, 3, 3, 3}, right,
                                         "ibput");
    world.barrier_all();
    const std::array<short, 13> wanted{1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 7, 8, 9};
    EXPECT_EQ(std::memcmp(there, wanted.data(), sizeof wanted), 0);
    std::array<short, 9> back{};
    strided<FromHost, 2, Direction::get>(current_hot(), back.data(), there, {3, 5, 3, 3}, right,
                                         "ibget");
    EXPECT_EQ(back, mine);
    // Nothing may point anywhere, with any strides.
    strided<FromHost, 2, Direction::put>(current_hot(), nullptr, nullptr, {0, 0, 0, 7}, right,
                                         "ibput");
    strided<FromHost, 2, Direction::get>(current_hot(), nullptr, nullptr, {0, 0, 3, 0}, right,
                                         "ibget");
    world.barrier_all();
  });
}

TEST(StridedDeathTest, NamesStridesThatOverlapAndBlocksThatLeaveTheHeap) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto strided_put = [](Strides strides) {
    thread_world(1, [&](World& world) {
      int* word = symmetric<int>(world, 4);
      strided<FromHost, 4, Direction::put>(current_hot(), word, word, strides, 0,
                                           "shmem_int_ibput");
    });
  };
  EXPECT_EXIT(strided_put({2, 3, 3, 2}), testing::ExitedWithCode(kMisuseStatus),
              "shmem_int_ibput: strides 2 \\(dest\\) and 3 \\(source\\) must be at least 3");
  EXPECT_EXIT(strided_put({-1, 1, 1, 2}), testing::ExitedWithCode(kMisuseStatus), "strides -1 ");
  EXPECT_EXIT(strided_put({PTRDIFF_MAX, 1, 1, 3}), testing::ExitedWithCode(kMisuseStatus),
              "reach past the end of the symmetric heap");
}

}  // namespace
}  // namespace canopy::shmem
