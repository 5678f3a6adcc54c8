#include "topology/model/spec_file.h"

#include "tests/unit/topology/spec_text.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace canopy::topology {
namespace {
namespace fs = std::filesystem;

// A folder of this process that goes away with the test.
class SpecFolder : public testing::Test {
 protected:
  SpecFolder() : folder_(fs::temp_directory_path() / fmt::format("canopy-specs-{}", getpid())) {
    fs::create_directories(folder_);
  }
  ~SpecFolder() override {
    unsetenv("CANOPY_SPEC_PATH");
    fs::remove_all(folder_);
  }
  std::string write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

void expect_same(const Machine& a, const Machine& b) {
  EXPECT_EQ(a.name(), b.name());
  ASSERT_EQ(a.count(), b.count());
  for (int i = 0; i < a.count(); ++i) {
    EXPECT_EQ(a.npu(i).soc, b.npu(i).soc);
    EXPECT_EQ(a.npu(i).cube_cores, b.npu(i).cube_cores);
    EXPECT_EQ(a.npu(i).vector_cores, b.npu(i).vector_cores);
    EXPECT_EQ(a.npu(i).aicpu_cores, b.npu(i).aicpu_cores);
    EXPECT_EQ(a.npu(i).hbm_bytes, b.npu(i).hbm_bytes);
    EXPECT_EQ(a.npu(i).l2_bytes, b.npu(i).l2_bytes);
    EXPECT_EQ(a.npu(i).ub_bytes, b.npu(i).ub_bytes);
    EXPECT_EQ(a.npu(i).pci_bus_id, b.npu(i).pci_bus_id);
    EXPECT_EQ(a.npu(i).numa_node, b.npu(i).numa_node);
    EXPECT_EQ(a.npu(i).nic, b.npu(i).nic);
    EXPECT_EQ(a.npu(i).placeholder, b.npu(i).placeholder);
    for (int j = 0; j < a.count(); ++j) {
      EXPECT_EQ(a.link(i, j).link_class, b.link(i, j).link_class);
      EXPECT_EQ(a.link(i, j).path, b.link(i, j).path);
      EXPECT_EQ(a.link(i, j).bandwidth_MBps, b.link(i, j).bandwidth_MBps);
      EXPECT_EQ(a.link(i, j).latency_ns, b.link(i, j).latency_ns);
    }
  }
}

TEST(ParseSpec, ReadsNpusAndLinks) {
  auto machine = parse_spec(kTwoPairs, "test");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->name(), "two-pairs");
  EXPECT_EQ(machine->source(), "test");
  ASSERT_EQ(machine->count(), 4);
  EXPECT_EQ(machine->npu(3).soc, "TestNPU");
  EXPECT_EQ(machine->npu(3).hbm_bytes, uint64_t{64} << 20);
  EXPECT_TRUE(machine->npu(3).placeholder);
  EXPECT_EQ(machine->link(0, 0).link_class, LinkClass::self);
  EXPECT_EQ(machine->link(2, 0).link_class, LinkClass::hccs);
  EXPECT_EQ(machine->link(2, 0).bandwidth_MBps, 28000u);
  EXPECT_EQ(machine->link(0, 1).link_class, LinkClass::sys);
  EXPECT_EQ(machine->link(0, 1).path, PeerPath::staged);
}

TEST(ParseSpec, GivesNpusWithoutABusIdDifferentOnes) {
  auto machine = parse_spec(kTwoPairs, "test");
  ASSERT_TRUE(machine);
  EXPECT_NE(machine->npu(0).pci_bus_id, machine->npu(1).pci_bus_id);
}

TEST(ParseSpec, TakesASingleNpuWithoutLinks) {
  auto machine = parse_spec(R"({"canopy_spec": 1, "name": "one", "npus": [
      {"soc": "S", "cube_cores": 0, "vector_cores": 1, "aicpu_cores": 1, "hbm": 4194304}]})",
                            "test");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->count(), 1);
  EXPECT_EQ(machine->npu(0).hbm_bytes, 4194304u);
}

TEST(ParseSpec, LetsAnEntryOfNpusOverrideTheCommonFields) {
  auto machine = parse_spec(
      changed(R"("links")", R"("npus": [{"id": 2, "soc": "Other", "numa_node": 1, "nic": "roce2",
              "placeholder": false, "pci_bus_id": "0000:c1:00.0"}], "links")"),
      "test");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->npu(1).soc, "TestNPU");
  EXPECT_EQ(machine->npu(2).soc, "Other");
  EXPECT_EQ(machine->npu(2).numa_node, 1);
  EXPECT_EQ(machine->npu(2).nic, "roce2");
  EXPECT_EQ(machine->npu(2).pci_bus_id, "0000:c1:00.0");
  EXPECT_FALSE(machine->npu(2).placeholder);
  EXPECT_EQ(machine->npu(2).vector_cores, 4u);
}

TEST(ParseSpec, LetsAPairOverrideClassFiguresAndPath) {
  auto machine = machine_with_links(3, R"({"mesh": "hccs", "pairs": [
      {"between": [0, 1], "path": "staged"},
      {"between": [2, 0], "class": "pix", "bandwidth_MBps": 12000, "placeholder": false}]})");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->link(1, 0).link_class, LinkClass::hccs);
  EXPECT_EQ(machine->link(1, 0).path, PeerPath::staged);
  EXPECT_EQ(machine->link(0, 2).link_class, LinkClass::pix);
  EXPECT_EQ(machine->link(0, 2).bandwidth_MBps, 12000u);
  EXPECT_FALSE(machine->link(0, 2).placeholder);
  EXPECT_EQ(machine->link(1, 2).path, PeerPath::direct);
}

TEST(ParseSpec, ReadsAMatrix) {
  auto machine = machine_with_links(2, R"({"matrix": [["self", "sio"], ["sio", "self"]]})");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->link(0, 1).link_class, LinkClass::sio);
}

TEST(ParseSpec, PairsThatNobodyNamesHaveNoLink) {
  auto machine = machine_with_links(2, "{}");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->link(0, 1).link_class, LinkClass::none);
  EXPECT_EQ(machine->link(0, 1).path, PeerPath::refused);
}

TEST(ParseSpec, AcceptsTheLargestMachine) {
  auto machine = machine_with_links(kMaxNpus, R"({"mesh": "hccs_switch"})");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->count(), 64);
}

TEST(WriteSpec, GivesBackAnEqualMachine) {
  for (const char* name : {"dual-npu", "atlas-800t-a2"}) {
    auto machine = load_spec(name);
    ASSERT_TRUE(machine) << error_text::newest();
    auto again = parse_spec(write_spec(*machine), "test");
    ASSERT_TRUE(again) << error_text::newest();
    expect_same(*machine, *again);
  }
  Machine machine = auto_machine();
  auto again = parse_spec(write_spec(machine), "test");
  ASSERT_TRUE(again) << error_text::newest();
  expect_same(machine, *again);
}

TEST(InstalledSpecs, DescribeTheMachinesTheirNamesPromise) {
  auto dual = load_spec("dual-npu");
  ASSERT_TRUE(dual) << error_text::newest();
  EXPECT_EQ(dual->count(), 2);
  auto atlas = load_spec("atlas-800t-a2");
  ASSERT_TRUE(atlas) << error_text::newest();
  ASSERT_EQ(atlas->count(), 8);
  EXPECT_EQ(atlas->npu(7).cube_cores, 24u);
  EXPECT_EQ(atlas->npu(7).vector_cores, 48u);
  EXPECT_EQ(atlas->npu(7).hbm_bytes, uint64_t{64} << 30);
  EXPECT_EQ(atlas->npu(7).nic, "roce7");
  EXPECT_EQ(atlas->link(0, 7).link_class, LinkClass::hccs);
}

TEST_F(SpecFolder, FindsANameInTheSpecPathFirst) {
  write("dual-npu.json", kTwoPairs);
  setenv("CANOPY_SPEC_PATH", ("/nowhere:" + folder_.string()).c_str(), 1);
  auto machine = load_spec("dual-npu");
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->name(), "two-pairs");
}

TEST_F(SpecFolder, UnknownNameListsTheKnownOnes) {
  write("mine.json", kTwoPairs);
  setenv("CANOPY_SPEC_PATH", folder_.c_str(), 1);
  auto machine = load_spec("my");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::not_found);
  EXPECT_NE(error_text::newest().find("atlas-800t-a2, dual-npu, mine"), std::string::npos)
      << error_text::newest();
}

TEST_F(SpecFolder, MissingFileNamesThePath) {
  auto machine = load_spec(folder_ / "none.json");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::not_found);
  EXPECT_NE(error_text::newest().find("none.json"), std::string::npos);
}

TEST_F(SpecFolder, RefusesFoldersPipesAndHugeFiles) {
  EXPECT_FALSE(load_spec(folder_.string() + "/"));
  EXPECT_NE(error_text::newest().find("not a regular file"), std::string::npos);

  std::string pipe = folder_ / "pipe.json";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(load_spec(pipe));  // and does not hang
  EXPECT_NE(error_text::newest().find("not a regular file"), std::string::npos);

  std::string huge = write("huge.json", "");
  fs::resize_file(huge, 1 << 30);  // sparse
  auto machine = load_spec(huge);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::limit);
}

}  // namespace
}  // namespace canopy::topology
