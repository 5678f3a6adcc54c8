#include "shmem/world/path_plan.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace canopy::shmem {
namespace {

using Sets = std::vector<std::vector<int>>;

// PEs on the hosts named by the letters of `hosts`.
std::vector<Card> cards_on(const std::string& hosts, PathWay way = PathWay::any,
                           int pes_per_host = 0) {
  std::vector<Card> cards(hosts.size());
  for (size_t pe = 0; pe < cards.size(); ++pe) {
    cards[pe].boot_id[1] = static_cast<uint64_t>(hosts[pe]);
    cards[pe].way = way;
    cards[pe].divided = pes_per_host > 0;
    cards[pe].division = pes_per_host > 0 ? static_cast<uint32_t>(pe) / pes_per_host : 0;
  }
  return cards;
}

PathPlan plan(const std::vector<Card>& cards, Sets missed = {}) {
  missed.resize(cards.size());
  return PathPlan(cards, std::move(missed));
}

TEST(PathPlan, IsLoadsAndStoresOnOneHost) {
  const PathPlan p = plan(cards_on("aaa"));
  EXPECT_TRUE(p.all_near());
  EXPECT_EQ(p.path(1, 1), Path::self);
  EXPECT_EQ(p.path(0, 2), Path::mapped);
  EXPECT_EQ(p.groups(), (Sets{{0, 1, 2}}));
}

TEST(PathPlan, GoesOverTheNetworkBetweenHosts) {
  const PathPlan p = plan(cards_on("abab"));
  EXPECT_FALSE(p.all_near());
  EXPECT_EQ(p.path(0, 2), Path::mapped);
  EXPECT_EQ(p.path(0, 1), Path::ofi);
  EXPECT_EQ(p.groups(), (Sets{{0, 2}, {1, 3}}));
  EXPECT_EQ(p.hosts(), p.groups());
  EXPECT_EQ(p.group_of(3), 1);
}

TEST(PathPlan, CountsAMappingOnlyWhenBothSidesHaveIt) {
  const PathPlan p = plan(cards_on("aaa"), {{}, {}, {0}});
  EXPECT_EQ(p.path(2, 0), Path::ofi);
  EXPECT_EQ(p.path(0, 2), Path::ofi) << "PE 0 has mapped PE 2, but not the other way round";
  EXPECT_EQ(p.path(1, 2), Path::mapped);
}

TEST(PathPlan, GroupsOnlyPesThatAreAllNearEachOther) {
  // 0-1 and 1-2 can map each other, 0-2 cannot.
  const PathPlan p = plan(cards_on("aaa"), {{2}, {}, {}});
  EXPECT_EQ(p.groups(), (Sets{{0, 1}, {2}}));
  EXPECT_TRUE(p.near(1, 2)) << "near, though of different groups";
}

TEST(PathPlan, PutsEverythingOnTheWishedWay) {
  const PathPlan ofi = plan(cards_on("aa", PathWay::ofi));
  EXPECT_EQ(ofi.path(0, 0), Path::ofi) << "to ourselves too";
  EXPECT_EQ(ofi.path(0, 1), Path::ofi);
  EXPECT_EQ(ofi.groups(), (Sets{{0}, {1}}));
  EXPECT_EQ(ofi.hosts(), (Sets{{0, 1}})) << "they still notice each other's death";

  const PathPlan faulty = plan(cards_on("aab", PathWay::faulty));
  EXPECT_EQ(faulty.path(0, 1), Path::posted_mapped);
  EXPECT_EQ(faulty.path(0, 2), Path::ofi) << "what is not mapped cannot be posted to";
}

TEST(PathPlan, TakesOnePesWishForAllItsPairs) {
  auto cards = cards_on("aaa");
  cards[1].way = PathWay::ofi;
  const PathPlan p = plan(cards);
  EXPECT_EQ(p.path(0, 1), Path::ofi);
  EXPECT_EQ(p.path(0, 2), Path::mapped);
  EXPECT_EQ(p.groups(), (Sets{{0, 2}, {1}}));
}

TEST(PathPlan, TakesOneHostForSeveral) {
  const PathPlan p = plan(cards_on("aaaa", PathWay::any, 2));
  EXPECT_EQ(p.path(0, 1), Path::mapped);
  EXPECT_EQ(p.path(1, 2), Path::ofi);
  EXPECT_EQ(p.hosts(), (Sets{{0, 1}, {2, 3}}));

  const PathPlan ofi = plan(cards_on("aaaa", PathWay::ofi, 2));
  EXPECT_EQ(ofi.path(0, 1), Path::mapped) << "the wish is for pairs on different hosts only";
  const PathPlan faulty = plan(cards_on("aaaa", PathWay::faulty, 2));
  EXPECT_EQ(faulty.path(0, 1), Path::mapped);
  EXPECT_EQ(faulty.path(0, 2), Path::posted_mapped);
  EXPECT_EQ(faulty.groups(), (Sets{{0, 1}, {2, 3}}));
}

struct Variables {
  Variables(const char* path, const char* faulty, const char* per_host) {
    const auto set = [](const char* name, const char* value) {
      value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
    };
    set("CANOPY_PATH", path);
    set("CANOPY_FAULTY", faulty);
    set("CANOPY_PES_PER_HOST", per_host);
  }
  ~Variables() {
    ::unsetenv("CANOPY_PATH");
    ::unsetenv("CANOPY_FAULTY");
    ::unsetenv("CANOPY_PES_PER_HOST");
  }
};

TEST(PathWish, ComesFromTheEnvironment) {
  {
    const Variables none(nullptr, nullptr, nullptr);
    const auto wish = PathWish::from_environment();
    EXPECT_TRUE(wish && wish->way == PathWay::any && !wish->faulty && wish->pes_per_host == 0);
  }
  {
    const Variables faults(nullptr, "seed=3", "2");
    const auto wish = PathWish::from_environment();
    EXPECT_TRUE(wish && wish->way == PathWay::faulty && wish->pes_per_host == 2);
    EXPECT_EQ(*wish->faulty, "seed=3");
  }
  {
    const Variables both("ofi", "seed=3", nullptr);
    const auto wish = PathWish::from_environment();
    EXPECT_TRUE(wish && wish->way == PathWay::ofi && wish->faulty);
  }
  {
    const Variables usual("faulty", nullptr, nullptr);
    EXPECT_TRUE(PathWish::from_environment()->faulty) << "with the usual faults";
  }
}

TEST(PathWish, NamesAValueThatIsNone) {
  const Variables wrong("teleport", nullptr, nullptr);
  EXPECT_EQ(PathWish::from_environment().error().code, Errc::invalid_argument);
  EXPECT_NE(error_text::newest().find("CANOPY_PATH=teleport"), std::string::npos);
  const Variables negative(nullptr, nullptr, "-1");
  EXPECT_EQ(PathWish::from_environment().error().code, Errc::out_of_range);
}

}  // namespace
}  // namespace canopy::shmem
