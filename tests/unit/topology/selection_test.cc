#include "topology/model/spec_file.h"

#include <string>

#include <gtest/gtest.h>

namespace canopy::topology {
namespace {

// Every test starts without a choice and without a discovery.
class Selection : public testing::Test {
 protected:
  Selection() { clear(); }
  ~Selection() override { clear(); }
  static void clear() {
    unsetenv("CANOPY_SOC_SPEC");
    set_discovery(nullptr);
  }
};

Result<Machine> pretend_discovery(const std::string& xml_path) {
  return Machine("pretended", "from '" + xml_path + "'", {}, {});
}

TEST_F(Selection, DefaultsToTheAutoMachine) {
  auto machine = machine_from_environment();
  ASSERT_TRUE(machine);
  EXPECT_EQ(machine->name(), "auto");
}

TEST_F(Selection, FollowsTheEnvironment) {
  setenv("CANOPY_SOC_SPEC", "dual-npu", 1);
  auto machine = machine_from_environment();
  ASSERT_TRUE(machine) << error_text::newest();
  EXPECT_EQ(machine->name(), "dual-npu");
}

TEST_F(Selection, HwlocWithoutADiscoverySaysWhatToDo) {
  setenv("CANOPY_SOC_SPEC", "hwloc", 1);
  auto machine = machine_from_environment();
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::not_supported);
  EXPECT_NE(error_text::newest().find("canopy topo --spec hwloc --json"), std::string::npos);
}

TEST_F(Selection, HwlocGoesToTheRegisteredDiscovery) {
  set_discovery(&pretend_discovery);
  auto host = machine_by_name("hwloc");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->source(), "from ''");
  auto file = machine_by_name("hwloc:/a/b:c.xml");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->source(), "from '/a/b:c.xml'");
}

TEST_F(Selection, HwlocColonNeedsAFile) {
  set_discovery(&pretend_discovery);
  auto machine = machine_by_name("hwloc:");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace canopy::topology
