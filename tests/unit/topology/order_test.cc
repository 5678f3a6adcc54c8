// Ring and tree order (topology/route/ring.h, tree.h).
#include "tests/unit/topology/spec_text.h"
#include "topology/route/ring.h"
#include "topology/route/tree.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace canopy::topology {
namespace {

Machine machine_of(int count, std::string_view links) {
  auto machine = machine_with_links(count, links);
  EXPECT_TRUE(machine) << error_text::newest();
  return machine.value_or(Machine());
}

std::vector<int> everybody(int count) {
  std::vector<int> members(static_cast<size_t>(count));
  std::iota(members.begin(), members.end(), 0);
  return members;
}

// Four groups by remainder: neighbours in number are far apart.
Machine interleaved(int count) {
  std::string groups;
  for (int g = 0; g < 4; ++g) {
    std::string npus;
    for (int i = g; i < count; i += 4) {
      npus += (npus.empty() ? "" : ",") + std::to_string(i);
    }
    groups += fmt::format("{}{{\"npus\":[{}],\"class\":\"hccs\"}}", g == 0 ? "" : ",", npus);
  }
  return machine_of(count, fmt::format("{{\"mesh\":\"sys\",\"groups\":[{}]}}", groups));
}

int steps_of_class(const Machine& machine, const Ring& ring, LinkClass link) {
  int found = 0;
  for (size_t i = 0; i < ring.order.size(); ++i) {
    found +=
        machine.link(ring.order[i], ring.order[(i + 1) % ring.order.size()]).link_class == link;
  }
  return found;
}

bool is_permutation(std::vector<int> order) {
  std::sort(order.begin(), order.end());
  return order == everybody(static_cast<int>(order.size()));
}

TEST(RingOrder, OfEqualLinksIsTheGivenOrder) {
  for (int count : {8, 20}) {
    Ring ring = ring_order(machine_of(count, R"({"mesh": "hccs"})"), everybody(count));
    EXPECT_EQ(ring.order, everybody(count));
    EXPECT_EQ(ring.worst_class, LinkClass::hccs);
    EXPECT_EQ(ring.worst_path, PeerPath::direct);
  }
}

TEST(RingOrder, CrossesBetweenGroupsAsRarelyAsPossible) {
  for (int count : {8, 32, 64}) {
    Machine machine = interleaved(count);
    Ring ring = ring_order(machine, everybody(count));
    EXPECT_TRUE(is_permutation(ring.order));
    EXPECT_EQ(ring.order.front(), 0);
    EXPECT_EQ(steps_of_class(machine, ring, LinkClass::sys), 4);
    EXPECT_EQ(ring.worst_class, LinkClass::sys);
  }
}

TEST(RingOrder, AvoidsAPairWithoutALink) {
  Machine machine =
      machine_of(4, R"({"mesh": "hccs", "pairs": [{"between": [0, 1], "class": "none"},
                                      {"between": [2, 3], "class": "none"}]})");
  Ring ring = ring_order(machine, everybody(4));
  EXPECT_EQ(ring.order, (std::vector<int>{0, 2, 1, 3}));
  EXPECT_EQ(ring.worst_path, PeerPath::direct);
}

TEST(RingOrder, PrefersBandwidthAmongLinksOfOneClass) {
  Machine machine = machine_of(4, R"({"mesh": "hccs",
      "classes": {"hccs": {"bandwidth_MBps": 20000}},
      "pairs": [{"between": [0, 2], "bandwidth_MBps": 40000},
                {"between": [1, 3], "bandwidth_MBps": 40000}]})");
  Ring ring = ring_order(machine, everybody(4));
  EXPECT_EQ(ring.order, (std::vector<int>{0, 1, 3, 2}));
}

TEST(RingOrder, SaysWhenNeighboursCannotReachEachOther) {
  Ring ring = ring_order(machine_of(3, "{}"), everybody(3));
  EXPECT_EQ(ring.worst_path, PeerPath::refused);
}

TEST(RingOrder, PutsMembersOfOneNpuSideBySide) {
  Machine machine = machine_of(2, R"({"mesh": "hccs"})");
  std::vector<int> npu_of_pe = {0, 1, 0, 1};
  Ring ring = ring_order(machine, npu_of_pe);
  EXPECT_EQ(ring.order, (std::vector<int>{0, 1, 3, 2}));
}

TEST(RingOrder, HandlesTheSmallestRings) {
  Machine machine = machine_of(2, R"({"mesh": "hccs"})");
  EXPECT_EQ(ring_order(machine, std::vector<int>{}).order, std::vector<int>{});
  EXPECT_EQ(ring_order(machine, std::vector<int>{1}).order, std::vector<int>{0});
  EXPECT_EQ(ring_order(machine, std::vector<int>{1, 0}).order, (std::vector<int>{0, 1}));
}

int depth(const Tree& tree, int node) {
  int steps = 0;
  for (int n = node; tree.parent[static_cast<size_t>(n)] >= 0;
       n = tree.parent[static_cast<size_t>(n)]) {
    ++steps;
  }
  return steps;
}

TEST(TreeOrder, IsBinomialInAMesh) {
  Tree tree = tree_order(machine_of(8, R"({"mesh": "hccs"})"), everybody(8), 0);
  EXPECT_TRUE(is_permutation(tree.order));
  EXPECT_EQ(tree.children[0].size(), 3u);
  for (int n = 0; n < 8; ++n) {
    EXPECT_LE(depth(tree, n), 3);
  }
}

TEST(TreeOrder, EntersEachGroupOnce) {
  Machine machine = interleaved(16);
  Tree tree = tree_order(machine, everybody(16), 5);
  int crossings = 0;
  for (int n = 0; n < 16; ++n) {
    int parent = tree.parent[static_cast<size_t>(n)];
    crossings += parent >= 0 && machine.link(parent, n).link_class == LinkClass::sys;
  }
  EXPECT_EQ(crossings, 3);
  EXPECT_EQ(tree.parent[5], -1);
  EXPECT_EQ(tree.order.front(), 5);
  EXPECT_EQ(tree.worst_class, LinkClass::sys);
}

TEST(TreeOrder, PutsAParentBeforeItsChildren) {
  Tree tree = tree_order(interleaved(16), everybody(16), 3);
  std::vector<size_t> place(16);
  for (size_t i = 0; i < 16; ++i) {
    place[static_cast<size_t>(tree.order[i])] = i;
  }
  for (size_t n = 0; n < 16; ++n) {
    if (tree.parent[n] >= 0) {
      EXPECT_LT(place[static_cast<size_t>(tree.parent[n])], place[n]);
    }
  }
}

TEST(TreeOrder, SendsOverTheWorstLinkFirst) {
  Machine machine = machine_of(3, R"({"mesh": "hccs", "pairs": [{"between": [0, 2], "class": "sys"},
                                      {"between": [1, 2], "class": "none"}]})");
  Tree tree = tree_order(machine, everybody(3), 0);
  EXPECT_EQ(tree.children[0], (std::vector<int>{2, 1}));
}

TEST(TreeOrder, OfOneMemberIsItsRoot) {
  Tree tree = tree_order(machine_of(2, R"({"mesh": "hccs"})"), std::vector<int>{1}, 0);
  EXPECT_EQ(tree.order, std::vector<int>{0});
  EXPECT_EQ(tree.worst_class, LinkClass::self);
}

}  // namespace
}  // namespace canopy::topology
