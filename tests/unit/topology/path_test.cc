#include "topology/route/path.h"

#include "tests/unit/topology/spec_text.h"

#include <gtest/gtest.h>

namespace canopy::topology {
namespace {

PathChoice choice(const Machine& machine, int from, int to,
                  std::optional<PeerPath> wanted = std::nullopt) {
  auto result = choose_path(machine, from, to, wanted);
  EXPECT_TRUE(result) << error_text::newest();
  return result.value_or(PathChoice{});
}

Machine machine_of(int count, std::string_view links) {
  auto machine = machine_with_links(count, links);
  EXPECT_TRUE(machine) << error_text::newest();
  return machine.value_or(Machine());
}

TEST(ChoosePath, ChangingOnlyTheSpecChangesTheAnswer) {
  EXPECT_EQ(choice(machine_of(2, R"({"mesh": "hccs"})"), 0, 1).path, PeerPath::direct);
  EXPECT_EQ(choice(machine_of(2, R"({"mesh": "phb"})"), 0, 1).path, PeerPath::staged);
  EXPECT_EQ(choice(machine_of(2, R"({"mesh": "none"})"), 0, 1).path, PeerPath::refused);
}

TEST(ChoosePath, ReasonNamesNpusClassAndFigures) {
  auto machine = machine_of(2, R"({"mesh": "hccs", "classes": {"hccs": {"bandwidth_MBps": 28000,
                                   "latency_ns": 1500}}})");
  std::string reason = choice(machine, 0, 1).reason;
  for (const char* part : {"npu 0", "npu 1", "hccs", "28000 MB/s", "1500 ns", "placeholder"}) {
    EXPECT_NE(reason.find(part), std::string::npos) << reason;
  }
}

TEST(ChoosePath, ReasonSaysWhenTheSpecOverrulesTheClass) {
  auto machine = machine_of(2, R"({"mesh": "hccs", "classes": {"hccs": {"path": "staged"}}})");
  PathChoice chosen = choice(machine, 0, 1);
  EXPECT_EQ(chosen.path, PeerPath::staged);
  EXPECT_NE(chosen.reason.find("hccs alone would give direct"), std::string::npos) << chosen.reason;
}

TEST(ChoosePath, ForcedPathWins) {
  auto machine = machine_of(2, R"({"mesh": "sys"})");
  EXPECT_EQ(choice(machine, 0, 1, PeerPath::direct).path, PeerPath::direct);
  EXPECT_NE(choice(machine, 0, 1, PeerPath::direct).reason.find("forced"), std::string::npos);
  EXPECT_EQ(choice(machine, 0, 1, PeerPath::refused).path, PeerPath::refused);
}

TEST(ChoosePath, NothingIsForcedWhereThereIsNoLink) {
  auto machine = machine_of(2, R"({"mesh": "none"})");
  EXPECT_EQ(choice(machine, 0, 1, PeerPath::direct).path, PeerPath::refused);
}

TEST(ChoosePath, AnNpuReachesItselfWhateverIsForced) {
  auto machine = machine_of(1, "{}");
  EXPECT_EQ(choice(machine, 0, 0, PeerPath::refused).path, PeerPath::direct);
}

TEST(ChoosePath, UnknownNpuIsAnErrorWithTheLimit) {
  auto machine = machine_of(2, R"({"mesh": "hccs"})");
  for (int id : {-1, 2}) {
    auto result = choose_path(machine, 0, id);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::bad_device);
    EXPECT_NE(error_text::newest().find("2 NPUs (0 to 1)"), std::string::npos);
  }
}

TEST(LinkCost, PutsPathBeforeClassBeforeBandwidth) {
  Link hccs{LinkClass::hccs, PeerPath::direct, 100, 5};
  Link staged_sio{LinkClass::sio, PeerPath::staged, 1000, 1};
  Link slow_hccs{LinkClass::hccs, PeerPath::direct, 99, 1};
  Link unknown_hccs{LinkClass::hccs, PeerPath::direct, 0, 1};
  Link pix{LinkClass::pix, PeerPath::direct, 1000, 1};
  EXPECT_LT(LinkCost(hccs), LinkCost(slow_hccs));
  EXPECT_LT(LinkCost(slow_hccs), LinkCost(unknown_hccs));
  EXPECT_LT(LinkCost(unknown_hccs), LinkCost(pix));
  EXPECT_LT(LinkCost(pix), LinkCost(staged_sio));
}

}  // namespace
}  // namespace canopy::topology
