#include "topology/model/visible.h"

#include "topology/model/spec_file.h"

#include <gtest/gtest.h>

#include <vector>

namespace canopy::topology {
namespace {

using Ids = std::vector<int>;

TEST(Visible, ListsAreIdsInTheirOrder) {
  EXPECT_EQ(parse_visible("0", 8), Ids({0}));
  EXPECT_EQ(parse_visible("3,0,7", 8), Ids({3, 0, 7}));
}

TEST(Visible, ListsEndBeforeTheFirstBadEntry) {
  for (const char* list : {"1,2,x,3", "1,2,8", "1,2,-1,3", "1,2, 3", "1,2,,3", "1,2,", "1,2,2,3",
                           "1,2,3a", "1,2,99999999999"}) {
    EXPECT_EQ(parse_visible(list, 8), Ids({1, 2})) << list;
  }
  for (const char* list : {"", "x", " 1", ",1", "8"}) {
    EXPECT_EQ(parse_visible(list, 8), Ids()) << list;
  }
}

TEST(Visible, APartIsNumberedAnewAndKeepsWhatItIs) {
  const Machine whole = auto_machine();
  const Machine part = visible_part(whole, {5, 2});
  ASSERT_EQ(part.count(), 2);
  EXPECT_EQ(part.npu(0).id, 0);
  EXPECT_EQ(part.npu(1).id, 1);
  EXPECT_EQ(part.npu(0).logical_id(), 5);
  EXPECT_EQ(part.npu(1).logical_id(), 2);
  EXPECT_EQ(part.npu(0).pci_bus_id, whole.npu(5).pci_bus_id);
  EXPECT_EQ(part.link(0, 1).link_class, whole.link(5, 2).link_class);
  EXPECT_EQ(part.link(1, 1).link_class, LinkClass::self);
  EXPECT_EQ(visible_part(part, {1}).npu(0).logical_id(), 2) << "a part of a part as well";
}

TEST(Visible, AWholeMachinesIdsAreItsLogicalOnes) {
  const Machine whole = auto_machine();
  for (int id = 0; id < whole.count(); ++id) {
    EXPECT_EQ(whole.npu(id).logical_id(), id);
  }
}

}  // namespace
}  // namespace canopy::topology
