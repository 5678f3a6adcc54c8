#include "topology/model/machine.h"

#include <gtest/gtest.h>

namespace canopy::topology {
namespace {

TEST(LinkClass, NamesRoundTrip) {
  for (int i = 0; i < kLinkClasses; ++i) {
    auto link = static_cast<LinkClass>(i);
    EXPECT_EQ(parse_link_class(to_string(link)), link);
  }
  EXPECT_EQ(parse_link_class("HCCS"), std::nullopt);
  EXPECT_EQ(parse_link_class(""), std::nullopt);
}

TEST(PeerPath, NamesRoundTrip) {
  for (PeerPath path : {PeerPath::direct, PeerPath::staged, PeerPath::refused}) {
    EXPECT_EQ(parse_peer_path(to_string(path)), path);
  }
  EXPECT_EQ(parse_peer_path("fast"), std::nullopt);
}

TEST(PeerPath, DefaultFollowsTheLinkClass) {
  EXPECT_EQ(default_path(LinkClass::sio), PeerPath::direct);
  EXPECT_EQ(default_path(LinkClass::hccs), PeerPath::direct);
  EXPECT_EQ(default_path(LinkClass::hccs_switch), PeerPath::direct);
  EXPECT_EQ(default_path(LinkClass::pix), PeerPath::direct);
  EXPECT_EQ(default_path(LinkClass::phb), PeerPath::staged);
  EXPECT_EQ(default_path(LinkClass::sys), PeerPath::staged);
  EXPECT_EQ(default_path(LinkClass::none), PeerPath::refused);
}

TEST(MachineDeathTest, RefusesALinkMatrixOfTheWrongSize) {
  Npu npu;
  EXPECT_DEATH(Machine("m", "test", {npu}, {}), "one link for every ordered pair");
}

TEST(MachineDeathTest, RefusesNpusThatAreNotNumberedFromZero) {
  Npu npu;
  npu.id = 1;
  EXPECT_DEATH(Machine("m", "test", {npu}, {Link{}}), "number the NPUs from 0");
}

}  // namespace
}  // namespace canopy::topology
