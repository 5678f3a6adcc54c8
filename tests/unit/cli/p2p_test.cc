// canopy bench p2p: what it copies, checks, and prints. The command itself is run by
// CMakeLists.txt.
#include "launcher/cli/p2p_bench.h"
#include "launcher/cli/p2p_report.h"
#include "launcher/cli/p2p_route.h"
#include "runtime/driver/driver.h"
#include "tests/unit/core/private_machine.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace canopy::cli {
namespace {
using test::kNear;
using test::kStaged;
using test::kUnreachable;

constexpr uint64_t kBytes = (uint64_t{1} << 20) + 3;  // no multiple of a word

class P2p : public testing::Test {
 protected:
  void SetUp() override {
    auto session = AclSession::open();
    ASSERT_TRUE(session) << error_text::newest();
    session_.emplace(std::move(*session));
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    auto staging = pinned_memory(kBytes);
    ASSERT_TRUE(staging) << error_text::newest();
    staging_ = std::move(*staging);
  }
  P2pRoute route_to(int dst) {
    auto route = P2pRoute::create(0, dst, kBytes, staging_.get(), 1);
    EXPECT_TRUE(route) << error_text::newest();
    return std::move(route).value();
  }
  static void copy(P2pRoute& route, P2pWay way) {
    ASSERT_TRUE(route.post(way)) << error_text::newest();
    ASSERT_TRUE(route.wait(way)) << error_text::newest();
  }

  std::optional<AclSession> session_;
  PinnedMemory staging_;
};

TEST_F(P2p, BytesArriveByWayOfTheHostWithoutAnyAccess) {
  for (const int dst : {kNear, kStaged, kUnreachable}) {
    P2pRoute route = route_to(dst);
    copy(route, P2pWay::by_host);
    EXPECT_TRUE(route.check()) << error_text::newest();
  }
}

TEST_F(P2p, ATargetThatGotNothingDoesNotPass) {
  P2pRoute route = route_to(kNear);
  copy(route, P2pWay::by_host);
  ASSERT_TRUE(route.spoil());
  ASSERT_FALSE(route.check());
  EXPECT_NE(error_text::newest().find("what arrived at byte 0"),
            std::string::npos);
}

TEST_F(P2p, DirectCopiesAreRefusedUntilAccessIsEnabled) {
  P2pRoute route = route_to(kNear);
  EXPECT_TRUE(route.expect_refusal()) << error_text::newest();
  EXPECT_FALSE(route.post(P2pWay::direct));
  ASSERT_EQ(aclrtDeviceEnablePeerAccess(kNear, 0), ACL_SUCCESS);
  EXPECT_FALSE(route.expect_refusal()) << "it would take a copy with access for one without";
  copy(route, P2pWay::direct);
  EXPECT_TRUE(route.check()) << error_text::newest();
}

P2pPlan small_plan(std::vector<int> devices) {
  return {.devices = std::move(devices),
          .sizes = {4096, kBytes},
          .iterations = 2,
          .latency_iterations = 2,
          .both_ways = true};
}

class MeasureP2p : public testing::Test {
 protected:
  // The runtime's beginning and end are the measurement's own.
  static Result<P2pMatrix> measure(P2pPlan plan) {
    return measure_p2p(std::move(plan), [](size_t, size_t) {});
  }
};

TEST_F(MeasureP2p, HasAFigureForWhateverTheLinkAllows) {
  const auto matrix = measure(small_plan({0, kStaged, kUnreachable}));
  ASSERT_TRUE(matrix) << error_text::newest();
  ASSERT_EQ(matrix->pairs.size(), 9u);
  for (const P2pPair& pair : matrix->pairs) {
    const bool has_on = pair.src != pair.dst && pair.link.path != topology::PeerPath::refused;
    ASSERT_EQ(pair.one_way_GBps.size(), 2u);
    ASSERT_EQ(pair.both_ways_GBps.size(), 2u);
    for (const auto& figure :
         {pair.one_way_GBps[0], pair.one_way_GBps[1], pair.both_ways_GBps[1], pair.latency_us}) {
      EXPECT_GT(figure.off.value_or(0), 0) << pair.src << " to " << pair.dst;
      EXPECT_EQ(figure.on.has_value(), has_on) << pair.src << " to " << pair.dst;
    }
  }
  EXPECT_EQ(matrix->pairs[1].link.path, topology::PeerPath::staged);
  EXPECT_EQ(matrix->pairs[2].link.path, topology::PeerPath::refused);
}

TEST_F(MeasureP2p, TellsHowFarItIs) {
  std::vector<size_t> told;
  ASSERT_TRUE(measure_p2p(small_plan({0, 1}), [&](size_t done, size_t all) {
    told.push_back(done);
    EXPECT_EQ(all, 4u);
  }));
  EXPECT_EQ(told, (std::vector<size_t>{0, 1, 2, 3}));
}

TEST_F(MeasureP2p, RefusesDevicesThatAreNotThere) {
  EXPECT_EQ(measure(small_plan({0, test::kDevices})).error().code, Errc::out_of_range);
  EXPECT_EQ(measure(small_plan({-1})).error().code, Errc::out_of_range);
  EXPECT_EQ(measure(small_plan({1, 1})).error().code, Errc::out_of_range);
}

// What is given back on the way out needs the right device, and takes no words along.
TEST_F(MeasureP2p, SaysWhatFailedAndBetweenWhichDevices) {
  EXPECT_FALSE(measure_p2p(small_plan({0, kNear}), [](size_t done, size_t) {
    if (done == 2) {
      (*Driver::current())->host_table().devices().inject_link_down(0, kNear);
    }
  }));
  EXPECT_TRUE(error_text::newest().starts_with("device 1 to device 0: aclrtMemcpyAsync between devices without peer "
                                               "access returned 507056: the link between devices"))
      << error_text::newest();
}

TEST_F(MeasureP2p, ALostDeviceTakesNoWordsAlong) {
  EXPECT_FALSE(measure_p2p(small_plan({0, kNear}), [](size_t done, size_t) {
    if (done == 1) {
      (*Driver::current())->host_table().devices().inject_lost(0);
    }
  }));
  EXPECT_TRUE(error_text::newest().starts_with("device 0 to device 1: aclrt")) << error_text::newest();
  EXPECT_NE(error_text::newest().find("507010: device 0 is lost"), std::string::npos) << error_text::newest();
}

// Two devices, of which one way is refused; figures that tell from where they come.
P2pMatrix invented() {
  P2pMatrix matrix{"made-up", {.devices = {2, 5}, .sizes = {1 << 20}}, {}};
  const topology::Link none{.link_class = topology::LinkClass::none,
                            .path = topology::PeerPath::refused};
  const topology::Link near{.link_class = topology::LinkClass::hccs,
                            .path = topology::PeerPath::direct};
  const topology::Link self{.link_class = topology::LinkClass::self,
                            .path = topology::PeerPath::direct};
  matrix.pairs = {{2, 2, self, {{11, std::nullopt}}, {}, {1.125, std::nullopt}},
                  {2, 5, near, {{12, 13}}, {}, {1.25, 1.375}},
                  {5, 2, none, {{14, std::nullopt}}, {}, {1.5, std::nullopt}},
                  {5, 5, self, {{15, std::nullopt}}, {}, {1.625, std::nullopt}}};
  return matrix;
}

TEST(P2pReport, ShowsLinksRatesAndRefusals) {
  const std::string text = p2p_table(invented());
  EXPECT_NE(text.find("from\\to  npu2          npu5\n"
                      "npu2     self          hccs:direct\n"
                      "npu5     none:refused  self\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("GB/s one way, 1 MiB, P2P on\n"
                      "from\\to     npu2   npu5\n"
                      "npu2       11.00  13.00\n"
                      "npu5     refused  15.00\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("npu2     1.12  1.25\nnpu5     1.50  1.62\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("both ways"), std::string::npos) << "nobody asked for it";
}

TEST(P2pReport, IsTheSameInJson) {
  const auto report = nlohmann::json::parse(p2p_json(invented()));
  ASSERT_EQ(report["pairs"].size(), 4u);
  const auto& near = report["pairs"][1];
  EXPECT_EQ(near["src"], 2);
  EXPECT_EQ(near["dst"], 5);
  EXPECT_EQ(near["link"], "hccs");
  EXPECT_EQ(near["path"], "direct");
  EXPECT_EQ(near["GBps"][0], (nlohmann::json{{"bytes", 1 << 20}, {"off", 12.0}, {"on", 13.0}}));
  EXPECT_EQ(report["pairs"][2]["latency_us"]["off"], 1.5);
  EXPECT_TRUE(report["pairs"][2]["latency_us"]["on"].is_null());
}

}  // namespace
}  // namespace canopy::cli
