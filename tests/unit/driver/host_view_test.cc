#include "runtime/driver/host_view.h"

#include "runtime/driver/host_table_layout.h"
#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace canopy {
namespace {

using test::ChildProcess;
using test::Line;

constexpr uint64_t kMiB = 1u << 20;

class HostViewTest : public ::testing::Test {
 protected:
  HostViewTest() : path_(fmt::format("/dev/shm/canopy-view-{}", ::getpid())) {
    ::setenv("CANOPY_HOST_TABLE", path_.c_str(), 1);
  }
  ~HostViewTest() override {
    ::unlink(path_.c_str());
    ::unsetenv("CANOPY_HOST_TABLE");
  }
  static std::optional<HostView> view() {
    auto opened = HostView::open();
    EXPECT_TRUE(opened) << error_text::newest();
    return opened ? std::move(*opened) : std::nullopt;
  }
  // Holds (i + 1) granules of device i % 8, which it has open.
  static std::unique_ptr<ChildProcess> owner(int i) {
    auto child = std::make_unique<ChildProcess>([i](Line& line) {
      auto table = HostTable::open();
      const int device = i % 8;
      if (table && (*table)->reserve(device, static_cast<uint64_t>(i + 1) * 2 * kMiB, uint64_t{1} << 40)) {
        (*table)->set_open(device, true);
        line.say("held");
      } else {
        line.say(error_text::newest());
      }
      line.hear();
    });
    EXPECT_EQ(child->line().hear(), "held");
    return child;
  }
  const std::string path_;
};

TEST_F(HostViewTest, NoTableIsNoErrorAndStaysNone) {
  EXPECT_FALSE(view());
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(HostViewTest, ShowsOwnersWithoutBeingOne) {
  auto child = owner(2);
  auto seen = view();
  ASSERT_TRUE(seen);
  const auto owners = seen->owners();
  ASSERT_EQ(owners.size(), 1u);
  EXPECT_EQ(owners[0].pid, child->pid());
  EXPECT_EQ(owners[0].name, program_invocation_short_name);
  EXPECT_EQ(owners[0].open_devices, 1ull << 2);
  EXPECT_EQ(owners[0].used_bytes[2], 6 * kMiB);
}

TEST_F(HostViewTest, TableOfTheDeadHasNoOwnersAndKeepsWhatHappened) {
  {
    ChildProcess child([](Line& line) {
      auto table = HostTable::open();
      (*table)->devices().count_error(1, DeviceError::timeout);
      line.say("counted");
      line.hear();
    });
    ASSERT_EQ(child.line().hear(), "counted");
  }
  auto seen = view();
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->owners().empty());
  EXPECT_EQ(seen->devices().read(1).error(DeviceError::timeout), 1u);
}

TEST_F(HostViewTest, DoesNotKeepAProcessFromJoining) {
  auto first = owner(0);
  auto seen = view();
  auto second = owner(1);
  EXPECT_EQ(seen->owners().size(), 2u);
}

TEST_F(HostViewTest, StrangeFileThatNobodyHoldsIsNoTable) {
  UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(fd.get(), "junk", 4), 4);
  EXPECT_FALSE(view());
}

TEST_F(HostViewTest, OwnersThatDieAreToldInTheLogByWhoCleansUp) {
  auto first = owner(0);
  auto second = owner(9);
  second->kill();
  auto third = owner(1);  // its claim sweeps
  bool found = false;
  for (const DeviceEvent& event : view()->devices().events().read().events) {
    found = found || (event.kind == EventKind::died && event.device == 1 && event.value == 20 * kMiB);
  }
  EXPECT_TRUE(found);
}

TEST_F(HostViewTest, OwnersThatDieAreToldOnceByWhoLooks) {
  auto lone = owner(9);
  const pid_t pid = lone->pid();
  lone->kill();
  for (int look = 0; look < 3; ++look) {
    EXPECT_TRUE(view()->owners().empty());
  }
  int found = 0;
  for (const DeviceEvent& event : view()->devices().events().read().events) {
    found += event.kind == EventKind::died && event.device == 1 && event.value == 20 * kMiB && event.pid == pid ? 1 : 0;
  }
  EXPECT_EQ(found, 1);
}

// Eight processes that come and go by kill -9 at random moments: at each look the living show, each with what it holds,
// and the dead do not.
TEST_F(HostViewTest, RightWhileEightProcessesRunAndDie) {
  std::mt19937 random(1);
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(owner(i));
  }
  for (int round = 0; round < 200; ++round) {
    const int i = static_cast<int>(random() % 8);
    children[static_cast<size_t>(i)]->kill();
    if (round % 3 != 0) {
      children[static_cast<size_t>(i)] = owner(i);
    }
    auto seen = view();
    ASSERT_TRUE(seen);
    std::vector<pid_t> pids;
    for (const HostOwner& one : seen->owners()) {
      pids.push_back(one.pid);
      const auto child = std::find_if(children.begin(), children.end(),
                                      [&](const auto& c) { return c != nullptr && c->pid() == one.pid; });
      ASSERT_NE(child, children.end()) << "round " << round << ": pid " << one.pid << " is dead";
      const auto k = static_cast<size_t>(child - children.begin());
      ASSERT_EQ(one.used_bytes[k], (k + 1) * 2 * kMiB);
      ASSERT_EQ(one.open_devices, 1ull << k);
    }
    ASSERT_EQ(pids.size(), round % 3 != 0 ? 8u : 7u) << "round " << round;
    if (round % 3 == 0) {
      children[static_cast<size_t>(i)] = owner(i);
    }
  }
}

// The children are killed at a point of their own: in the middle of claiming, reserving, releasing, leaving.
TEST_F(HostViewTest, LooksBesideProcessesThatAreKilledAnywhere) {
  std::mt19937 random(2);
  auto anchor = owner(0);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < 4; ++i) {
      children.push_back(std::make_unique<ChildProcess>([](Line& line) {
        line.say("go");
        for (;;) {
          auto table = HostTable::open();
          if (table && (*table)->reserve(3, 2 * kMiB, uint64_t{1} << 40)) {
            (*table)->release(3, 2 * kMiB);
          }
        }
      }));
      ASSERT_EQ(children.back()->line().hear(), "go");
    }
    for (unsigned look = random() % 20; look > 0; --look) {
      auto seen = view();
      ASSERT_TRUE(seen);
      const auto owners = seen->owners();
      ASSERT_GE(owners.size(), 1u);
      ASSERT_LE(owners.size(), 5u);
    }
    children.clear();
    const auto owners = view()->owners();
    ASSERT_EQ(owners.size(), 1u);
    ASSERT_EQ(owners[0].used_bytes[0], 2 * kMiB);
  }
}

}  // namespace
}  // namespace canopy
