// The includes of this source tree against arrows.txt, and planted violations against the checker.
#include "tests/unit/arrows/arrow_table.h"
#include "tests/unit/arrows/include_check.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace canopy::arrows {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTops = {"runtime", "topology", "transport", "launcher", "shmem"};

std::string read_file(const fs::path& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

ArrowTable project_table() {
  auto table =
      ArrowTable::parse(read_file(fs::path(CANOPY_SOURCE_ROOT) / "tests/unit/arrows/arrows.txt"));
  EXPECT_TRUE(table) << error_text::newest();
  return std::move(table).value();
}

// A small tree with one legal file per layer, to plant violations in.
class PlantedTree : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("canopy-arrows-" + std::to_string(::getpid()));
    plant("runtime/base/result.h", "#include <string>\n");
    plant("runtime/device/strand.h", "#include \"runtime/base/result.h\"\n");
    plant("runtime/include/acl/acl.h", "#include <stdint.h>\n");
    plant("topology/model/machine.h", "#include \"runtime/base/result.h\"\n");
    plant("transport/self/self.h", "#include \"runtime/base/result.h\"\n");
    plant("launcher/bootstrap/bootstrap.h", "");
    plant("shmem/world/world.h", "#include \"transport/self/self.h\"\n#include <acl/acl.h>\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void plant(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::vector<std::string> violations() {
    auto report = check_includes(project_table(), root_, kTops);
    EXPECT_TRUE(report) << error_text::newest();
    return report->violations;
  }
  void expect_one(const std::string& part) {
    const auto found = violations();
    ASSERT_EQ(found.size(), 1u) << ::testing::PrintToString(found);
    EXPECT_NE(found[0].find(part), std::string::npos) << found[0];
  }

  fs::path root_;
};

TEST(Arrows, OfThisSourceTreeAreAllAllowed) {
  auto report = check_includes(project_table(), CANOPY_SOURCE_ROOT, kTops);
  ASSERT_TRUE(report) << error_text::newest();
  for (const std::string& violation : report->violations) {
    ADD_FAILURE() << violation;
  }
  // A checker that looks at nothing passes everything.
  EXPECT_GT(report->files, 50);
  EXPECT_GT(report->arrows, 100);
}

TEST_F(PlantedTree, IsCleanBeforePlanting) { EXPECT_EQ(violations().size(), 0u); }

TEST_F(PlantedTree, ShowsRuntimeThatReachesForTheTransport) {
  plant("runtime/core/bad.cc", "\n#include \"transport/self/self.h\"\n");
  expect_one("runtime/core/bad.cc:2: runtime/core -> transport is not an allowed arrow");
}

TEST_F(PlantedTree, ShowsTransportThatKnowsADevice) {
  plant("transport/mapped/bad.cc", "#include \"runtime/device/strand.h\"\n");
  expect_one("transport -> runtime/device");
}

TEST_F(PlantedTree, ShowsAnApiFileThatReachesIntoTheDevice) {
  plant("runtime/api/bad.cc", "#include \"runtime/device/strand.h\"\n");
  expect_one("runtime/api -> runtime/device");
}

TEST_F(PlantedTree, ShowsTopologyThatUsesTheHostInterface) {
  plant("topology/route/bad.cc", "#include <acl/acl.h>\n");
  expect_one("topology -> runtime/include/acl");
}

TEST_F(PlantedTree, ShowsARelativePath) {
  plant("shmem/heap/bad.cc", "#  include \"../world/world.h\"\n");
  expect_one("relative path");
}

TEST_F(PlantedTree, LetsInstalledHeadersNameEachOtherRelatively) {
  plant("shmem/include/shmem.h", "");
  plant("shmem/include/mpp/shmem.h", "#include \"../shmem.h\"\n");
  EXPECT_EQ(violations().size(), 0u);
}

TEST_F(PlantedTree, ShowsAnInstalledHeaderThatLeavesItsFolder) {
  plant("shmem/include/bad.h", "#include \"../world/world.h\"\n");
  expect_one("relative path");
}

TEST_F(PlantedTree, ShowsASiblingIncludedByItsBareName) {
  plant("shmem/world/bad.cc", "#include \"world.h\"\n");
  expect_one("no file from the repository root");
}

TEST_F(PlantedTree, ShowsAFolderWithoutALine) {
  plant("runtime/helpers/bad.cc", "");
  expect_one("runtime/helpers/bad.cc: lies in no folder");
}

TEST(ArrowTable, RefusesATargetWithoutALine) {
  EXPECT_FALSE(ArrowTable::parse("runtime/core: runtime/bass\n"));
}

TEST(ArrowTable, RefusesTwoLinesForOneFolder) {
  EXPECT_FALSE(ArrowTable::parse("topology:\ntopology:\n"));
}

TEST(ArrowTable, PutsAFileIntoTheLongestFolder) {
  auto table = ArrowTable::parse("runtime/device:\nruntime/device/abi:\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->folder_of("runtime/device/abi/sqe.h"), "runtime/device/abi");
  EXPECT_EQ(table->folder_of("runtime/device/cores/core.h"), "runtime/device");
  EXPECT_EQ(table->folder_of("runtime/devices.h"), std::nullopt);
}

}  // namespace
}  // namespace canopy::arrows
