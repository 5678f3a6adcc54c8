#include "topology/model/host_memory.h"

#include "topology/model/auto_machine.h"
#include "topology/model/spec_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace canopy::topology {
namespace {
namespace fs = std::filesystem;
constexpr uint64_t kMiB = uint64_t{1} << 20;

// A /proc and a cgroup tree of our own.
class UsableMemory : public testing::Test {
 protected:
  UsableMemory()
      : root_(fs::temp_directory_path() / ("canopy-memory-" + std::to_string(getpid()))) {
    put("proc/meminfo", "Zero: 1 kB\nMemTotal:        8388608 kB\nMemFree: 1 kB\n");
    put("proc/self/cgroup", "3:memory:/v1\n0::/jobs/one\n");
    fs::create_directories(root_ / "cgroup/jobs/one");
  }
  ~UsableMemory() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  HostMemory read() const { return usable_memory(root_ / "proc", root_ / "cgroup"); }
  fs::path root_;
};

TEST_F(UsableMemory, IsMemTotalWithoutALimit) {
  put("cgroup/jobs/one/memory.max", "max\n");
  EXPECT_EQ(read().bytes, 8192 * kMiB);
  EXPECT_FALSE(read().by_cgroup);
}

TEST_F(UsableMemory, ObeysTheCgroupLimit) {
  put("cgroup/jobs/one/memory.max", "1073741824\n");
  EXPECT_EQ(read().bytes, 1024 * kMiB);
  EXPECT_TRUE(read().by_cgroup);
}

TEST_F(UsableMemory, ObeysTheLimitOfAnAncestor) {
  put("cgroup/jobs/one/memory.max", "2147483648\n");
  put("cgroup/jobs/memory.max", "1073741824\n");
  EXPECT_EQ(read().bytes, 1024 * kMiB);
}

TEST_F(UsableMemory, ObeysTheRootOfAContainerThatHidesItsOwnPath) {
  put("proc/self/cgroup", "0::/../../not/visible\n");
  put("cgroup/memory.max", "536870912\n");
  EXPECT_EQ(read().bytes, 512 * kMiB);
}

TEST_F(UsableMemory, IgnoresALimitAboveMemTotal) {
  put("cgroup/jobs/one/memory.max", "1099511627776\n");
  EXPECT_EQ(read().bytes, 8192 * kMiB);
  EXPECT_FALSE(read().by_cgroup);
}

TEST_F(UsableMemory, IsZeroWhenNothingCanBeRead) {
  EXPECT_EQ(usable_memory(root_ / "nix", root_ / "nix").bytes, 0u);
}

TEST(AutoHbm, IsAnEighthOfHalfInWholeSteps) {
  EXPECT_EQ(auto_hbm_bytes(16384 * kMiB), 1024 * kMiB);
  EXPECT_EQ(auto_hbm_bytes(16384 * kMiB - 1), 960 * kMiB);
}

TEST(AutoHbm, IsNeverBelowTheLeast) {
  EXPECT_EQ(auto_hbm_bytes(0), 256 * kMiB);
  EXPECT_EQ(auto_hbm_bytes(1024 * kMiB), 256 * kMiB);
}

TEST(AutoMachine, IsAnHccsMeshOfPlaceholders) {
  Machine machine = auto_machine();
  EXPECT_EQ(machine.name(), "auto");
  ASSERT_EQ(machine.count(), 8);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(machine.npu(i).placeholder);
    EXPECT_GE(machine.npu(i).hbm_bytes, 256 * kMiB);
    for (int j = 0; j < 8; ++j) {
      EXPECT_EQ(machine.link(i, j).link_class, i == j ? LinkClass::self : LinkClass::hccs);
      EXPECT_EQ(machine.link(i, j).path, PeerPath::direct);
    }
  }
}

}  // namespace
}  // namespace canopy::topology
