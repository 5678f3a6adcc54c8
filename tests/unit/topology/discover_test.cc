#include "topology/discover/discover.h"

#include "tests/unit/topology/hwloc_xml.h"
#include "topology/model/spec_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace canopy::topology {
namespace {
namespace fs = std::filesystem;

class Discover : public testing::Test {
 protected:
  Discover() : path_(fs::temp_directory_path() / fmt::format("canopy-hwloc-{}.xml", getpid())) {
    unsetenv("HWLOC_XMLFILE");
  }
  ~Discover() override {
    unsetenv("HWLOC_XMLFILE");
    set_discovery(nullptr);
    fs::remove(path_);
  }
  const std::string& write(const std::string& xml) {
    std::ofstream(path_) << xml;
    return path_;
  }
  Discovered found(const std::string& xml) {
    auto result = discover(write(xml));
    EXPECT_TRUE(result) << error_text::newest();
    return result ? std::move(*result) : Discovered{};
  }
  std::string path_;
};

const std::string kMatrices = xml_matrix("HCCSBandwidth", 10, "1000000 28000 27000 1000000 ") +
                              xml_matrix("HCCSLatency", 6, "100 1500 1600 100 ");

TEST_F(Discover, CountsWhatTheHostIsMadeOf) {
  auto host = discover_host(write(xml_npu_host("", "")));
  ASSERT_TRUE(host) << error_text::newest();
  EXPECT_EQ(host->packages, 2);
  EXPECT_EQ(host->numa_nodes, 2);
  EXPECT_EQ(host->cores, 4);
  EXPECT_EQ(host->threads, 4);
  EXPECT_EQ(host->memory_bytes, uint64_t{16} << 30);
  EXPECT_FALSE(host->this_system);
  EXPECT_EQ(host->source, "hwloc file " + path_);
}

TEST_F(Discover, DescribesThisHost) {
  auto host = discover_host("");
  ASSERT_TRUE(host) << error_text::newest();
  EXPECT_TRUE(host->this_system);
  EXPECT_GE(host->cores, 1);
  EXPECT_GT(host->memory_bytes, 0u);
}

TEST_F(Discover, FindsNpusWithBusIdNumaNodeAndCpus) {
  Discovered d = found(xml_npu_host("", ""));
  ASSERT_EQ(d.machine.count(), 4);
  EXPECT_EQ(d.machine.npu(0).pci_bus_id, "0000:03:00.0");
  EXPECT_EQ(d.machine.npu(0).numa_node, 0);
  EXPECT_EQ(d.machine.npu(3).pci_bus_id, "0000:40:00.0");
  EXPECT_EQ(d.machine.npu(3).numa_node, 1);
  EXPECT_EQ(d.places[0].near_cpus, "0-1");
  EXPECT_EQ(d.places[3].near_cpus, "2-3");
}

TEST_F(Discover, NumbersNpusDenselyInTheOrderOfTheirNames) {
  Discovered d = found(xml_npu_host("", ""));
  ASSERT_EQ(d.places.size(), 4u);
  EXPECT_EQ(d.places[2].os_name, "npu2");
  EXPECT_EQ(d.places[3].os_name, "npu4");
  EXPECT_EQ(d.machine.npu(3).id, 3);
}

TEST_F(Discover, TakesModelAndMemoryFromTheInfos) {
  Discovered d = found(
      xml_npu_host(xml_info("NPUModel", "Some910") + xml_info("NPUMemory", "67108864 kB"), ""));
  EXPECT_EQ(d.machine.npu(0).soc, "Some910");
  EXPECT_EQ(d.machine.npu(0).hbm_bytes, uint64_t{64} << 30);
  EXPECT_TRUE(d.machine.npu(0).placeholder);                 // core counts are not in there
  EXPECT_EQ(d.machine.npu(1).hbm_bytes, uint64_t{1} << 30);  // an eighth of half of 16 GiB
}

TEST_F(Discover, RefusesMemoryThatIsNotANumberOfKilobytes) {
  for (const char* memory : {"lots", "64 GB", "-1 kB", "1 kB", "99999999999999 kB", ""}) {
    auto result = discover(write(xml_npu_host(xml_info("NPUMemory", memory), "")));
    ASSERT_FALSE(result) << memory;
    EXPECT_EQ(result.error().code, Errc::parse);
    EXPECT_NE(error_text::newest().find("npu0: NPUMemory"), std::string::npos);
  }
}

TEST_F(Discover, TakesHccsFromTheMatricesInTheWorseDirection) {
  Discovered d = found(xml_npu_host("", kMatrices));
  const Link& link = d.machine.link(1, 0);
  EXPECT_EQ(link.link_class, LinkClass::hccs);
  EXPECT_EQ(link.path, PeerPath::direct);
  EXPECT_EQ(link.bandwidth_MBps, 27000u);
  EXPECT_EQ(link.latency_ns, 1600u);
}

TEST_F(Discover, TakesTheClassOfOtherPairsFromPci) {
  Discovered d = found(xml_npu_host("", ""));
  EXPECT_EQ(d.machine.link(0, 1).link_class, LinkClass::pix);  // one switch
  EXPECT_EQ(d.machine.link(0, 2).link_class, LinkClass::phb);  // one socket
  EXPECT_EQ(d.machine.link(0, 3).link_class, LinkClass::sys);  // two sockets
  EXPECT_EQ(d.machine.link(3, 0).path, PeerPath::staged);
}

TEST_F(Discover, ALinkInOneDirectionOnlyIsNoHccsLink) {
  Discovered d =
      found(xml_npu_host("", xml_matrix("HCCSBandwidth", 10, "1000000 28000 0 1000000 ")));
  EXPECT_EQ(d.machine.link(0, 1).link_class, LinkClass::pix);
}

TEST_F(Discover, FindsTheNearestNic) {
  Discovered d = found(xml_npu_host("", ""));
  EXPECT_EQ(d.machine.npu(0).nic, "ib0");
  EXPECT_EQ(d.machine.npu(2).nic, "ib0");  // same socket
  EXPECT_EQ(d.machine.npu(3).nic, "eth7");
}

TEST_F(Discover, PrefersTheNicThatTheNpuNames) {
  Discovered d = found(xml_npu_host(xml_info("NPURoCEPort", "eth7"), ""));
  EXPECT_EQ(d.machine.npu(0).nic, "eth7");
}

TEST_F(Discover, HostWithoutNpusSaysWhatToUseInstead) {
  auto result = discover(write(xml_machine(xml_socket(0, "") + xml_socket(1, ""), "")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::no_device);
  EXPECT_NE(error_text::newest().find("'auto' or a spec file"), std::string::npos);
}

TEST_F(Discover, RefusesTwoNpusOfOneNumber) {
  std::string twice =
      xml_bridge(100, true, 2, 5, xml_device(110, 3, "npu0", 5) + xml_device(112, 4, "npu0", 5));
  auto result = discover(write(xml_machine(xml_socket(0, twice) + xml_socket(1, ""), "")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::parse);
}

TEST_F(Discover, MissingAndMalformedFilesAreErrorsWithTheName) {
  auto missing = discover("/nowhere/host.xml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_NE(error_text::newest().find("/nowhere/host.xml"), std::string::npos);

  std::string good = xml_npu_host("", "");
  for (const std::string& bad : {std::string(), std::string("not xml"), good.substr(0, 900)}) {
    auto result = discover(write(bad));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::parse);
  }
}

TEST_F(Discover, RespectsHwlocXmlfile) {
  setenv("HWLOC_XMLFILE", write(xml_npu_host("", "")).c_str(), 1);
  auto result = discover("");
  ASSERT_TRUE(result) << error_text::newest();
  EXPECT_EQ(result->machine.count(), 4);
  setenv("HWLOC_XMLFILE", "/nowhere/host.xml", 1);
  EXPECT_FALSE(discover(""));
}

TEST_F(Discover, OnceRegisteredServesSpecValues) {
  register_hwloc_discovery();
  auto machine = machine_by_name("hwloc:" + write(xml_npu_host("", kMatrices)));
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->count(), 4);
  // What hwloc found can be kept as a spec file for the runtime, which has no discovery.
  auto again = parse_spec(write_spec(*machine), "test");
  ASSERT_TRUE(again) << error_text::newest();
  EXPECT_EQ(again->link(0, 1).bandwidth_MBps, 27000u);
}

}  // namespace
}  // namespace canopy::topology
