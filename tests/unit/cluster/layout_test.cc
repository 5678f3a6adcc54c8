// Names, addresses and numbers of fake hosts: what needs no namespace.
#include "launcher/cluster/layout.h"

#include "launcher/cluster/faults.h"
#include "launcher/cluster/head.h"
#include "launcher/cluster/private_mounts.h"

#include <gtest/gtest.h>

#include <net/if.h>

#include <set>

namespace canopy::cluster {
namespace {

TEST(ClusterLayout, EveryCableOfTheLargestClusterHasItsOwnAddressAndName) {
  std::set<std::string> addresses;
  std::set<std::string> ports;
  for (int rail = 0; rail < kMaxRails; ++rail) {
    for (int host = kHead; host < kMaxHosts; ++host) {
      EXPECT_TRUE(addresses.insert(rail_address(host, rail)).second) << host << " on rail " << rail;
    }
    for (int host = 0; host < kMaxHosts; ++host) {
      ports.insert(port_name(host, rail));
      EXPECT_LT(port_name(host, rail).size(), static_cast<size_t>(IFNAMSIZ));
    }
  }
  EXPECT_EQ(ports.size(), static_cast<size_t>(kMaxHosts * kMaxRails));
  EXPECT_EQ(rail_address(kHead, 0), "10.80.0.1");
  EXPECT_EQ(rail_address(0, 0), "10.80.0.10");
  EXPECT_EQ(rail_address(300, 2), "10.82.1.54");
}

TEST(ClusterLayout, LimitsAreSaid) {
  EXPECT_TRUE(check({1, 1}));
  EXPECT_TRUE(check({kMaxHosts, kMaxRails}));
  for (const Layout& wrong : {Layout{0, 1}, Layout{-3, 1}, Layout{kMaxHosts + 1, 1}, Layout{2, 0},
                              Layout{2, kMaxRails + 1}}) {
    const auto result = check(wrong);
    ASSERT_FALSE(result) << wrong.hosts << " hosts, " << wrong.rails << " rails";
    EXPECT_EQ(result.error().code, Errc::out_of_range);
  }
  EXPECT_FALSE(check_rail({2, 2}, 2));
  EXPECT_FALSE(check_rail({2, 2}, -1));
  EXPECT_TRUE(check_rail({2, 2}, 1));
}

TEST(ClusterLayout, OnlyHostsOfTheClusterAreParsed) {
  const Layout layout{12, 1};
  EXPECT_EQ(parse_host(layout, "h0").value(), 0);
  EXPECT_EQ(parse_host(layout, "h11").value(), 11);
  EXPECT_EQ(parse_place(layout, "head").value(), kHead);
  for (const char* wrong :
       {"h12", "h", "", "11", "h-1", "h01", "h1x", "H1", "head", "h99999999999"}) {
    const auto host = parse_host(layout, wrong);
    ASSERT_FALSE(host) << wrong;
    EXPECT_EQ(host.error().code, Errc::not_found);
    EXPECT_NE(error_text::newest().find("h0 to h11"), std::string::npos);
  }
}

TEST(ClusterLayout, HostsFileNamesOursBeforeTheMachines) {
  const std::string text = hosts_file({2, 1}, "127.0.1.1 machine\n10.0.0.1 h1\n");
  const size_t ours = text.find("10.80.0.11 h1\n");
  ASSERT_NE(ours, std::string::npos) << text;
  EXPECT_LT(ours, text.find("10.0.0.1 h1"));
  EXPECT_NE(text.find("10.80.0.1 head\n"), std::string::npos) << text;
  EXPECT_EQ(mpirun_hostfile({2, 1}, 3), "h0 slots=3\nh1 slots=3\n");
}

TEST(ClusterFaults, RatesAreNumbersWithAUnit) {
  EXPECT_EQ(parse_rate("400mbit").value().bits_per_s, 400'000'000u);
  EXPECT_EQ(parse_rate("1.5gbit").value().bits_per_s, 1'500'000'000u);
  EXPECT_EQ(parse_rate("800kbit").value().bits_per_s, 800'000u);
  EXPECT_EQ(parse_rate("5000bit").value().bits_per_s, 5000u);
  for (const char* wrong : {"", "400", "mbit", "400 mbit", "400mbits", "-4mbit", "4e8bit",
                            "nanmbit", "infbit", "fast", "0x10kbit"}) {
    const auto rate = parse_rate(wrong);
    ASSERT_FALSE(rate) << wrong;
    EXPECT_EQ(rate.error().code, Errc::parse) << wrong;
  }
  EXPECT_EQ(parse_rate("999bit").error().code, Errc::out_of_range);
  EXPECT_EQ(parse_rate("1001gbit").error().code, Errc::out_of_range);
}

TEST(ClusterFaults, LossesArePercentages) {
  EXPECT_EQ(parse_loss("1").value()->per_million, 10'000u);
  EXPECT_EQ(parse_loss("0.5%").value()->per_million, 5000u);
  EXPECT_EQ(parse_loss("100").value()->per_million, 1'000'000u);
  EXPECT_EQ(parse_loss("2%").value()->text, "2");
  for (const char* wrong : {"", "%", "one", "1%%", "-1", "1 %", "nan"}) {
    const auto loss = parse_loss(wrong);
    ASSERT_FALSE(loss) << wrong;
    EXPECT_EQ(loss.error().code, Errc::parse) << wrong;
  }
  EXPECT_FALSE(parse_loss("0").value());
  EXPECT_FALSE(parse_loss("0%").value());
  EXPECT_EQ(parse_loss("0.00001").error().code, Errc::out_of_range);
  EXPECT_EQ(parse_loss("100.1").error().code, Errc::out_of_range);
}

TEST(ClusterMounts, TheEntryOfAPrivateFolderIsShownWhole) {
  EXPECT_EQ(entry_to_show("/tmp/build/bin/x"), "/tmp/build");
  EXPECT_EQ(entry_to_show("/tmp/a.out"), "/tmp/a.out");
  EXPECT_EQ(entry_to_show("/dev/shm/x/y"), "/dev/shm/x");
  for (const char* seen_anyway :
       {"/", "/home/me", "/tmp", "/tmp/", "/tmpfoo/x", "/dev/shm", "/var/tmp/x"}) {
    EXPECT_EQ(entry_to_show(seen_anyway), "") << seen_anyway;
  }
}

TEST(ClusterHead, TheListOfFirstProcessesIsReadBack) {
  EXPECT_EQ(parse_first_processes("2 13 4000"), (std::vector<pid_t>{2, 13, 4000}));
  EXPECT_TRUE(parse_first_processes("").empty());
}

}  // namespace
}  // namespace canopy::cluster
