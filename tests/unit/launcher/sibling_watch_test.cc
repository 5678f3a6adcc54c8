#include "launcher/bootstrap/sibling_watch.h"

#include "tests/unit/launcher/fake_proc.h"

#include <gtest/gtest.h>

namespace canopy {
namespace {

using Pes = std::vector<int>;

// mpirun (pid 10) with PEs 0, 1, 2 as processes 100, 101, 102.
class SiblingWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    proc.add({.pid = 1, .parent = 0, .command = "init"});
    proc.add({.pid = 10, .parent = 1, .command = "mpirun"});
    for (int pe = 0; pe < 3; ++pe) {
      add_pe(pe);
    }
  }
  void add_pe(int pe, int start_ticks = 100) {
    proc.add({.pid = 100 + pe,
              .parent = 10,
              .command = "prog",
              .environment = FakeProc::pe("job", pe),
              .start_ticks = start_ticks});
  }
  SiblingWatch watch(int pe, int own_pid) {
    return SiblingWatch("job", pe, {0, 1, 2}, own_pid, ProcessTable(proc.root()));
  }
  FakeProc proc;
};

TEST_F(SiblingWatchTest, SaysNothingWhileAllLive) {
  auto w = watch(0, 100);
  EXPECT_TRUE(w.look().ended.empty());
  EXPECT_TRUE(w.look().ended.empty());
  EXPECT_FALSE(w.suspects());
}

TEST_F(SiblingWatchTest, NamesAPeThatWasGoneFromTheStartAtTheSecondLook) {
  proc.remove(102);
  auto w = watch(0, 100);
  EXPECT_TRUE(w.look().ended.empty());
  EXPECT_TRUE(w.suspects());
  EXPECT_EQ(w.look().ended, Pes{2});
}

TEST_F(SiblingWatchTest, NamesAPeThatEndsLater) {
  auto w = watch(1, 101);
  EXPECT_TRUE(w.look().ended.empty());
  proc.remove(100);
  EXPECT_TRUE(w.look().ended.empty());
  EXPECT_EQ(w.look().ended, Pes{0});
}

TEST_F(SiblingWatchTest, AZombieHasEnded) {
  proc.add({.pid = 102, .parent = 10, .command = "prog", .state = 'Z'});
  auto w = watch(0, 100);
  w.look();
  EXPECT_EQ(w.look().ended, Pes{2});
}

TEST_F(SiblingWatchTest, AReusedPidIsNotTakenForThePe) {
  auto w = watch(0, 100);
  w.look();
  proc.add({.pid = 102, .parent = 1, .command = "other", .start_ticks = 200});
  w.look();
  EXPECT_EQ(w.look().ended, Pes{2});
}

TEST_F(SiblingWatchTest, CountsTheLivingPesBelowIt) {
  proc.remove(100);
  auto w = watch(2, 102);
  w.look();
  const auto report = w.look();
  EXPECT_EQ(report.ended, Pes{0});
  EXPECT_EQ(report.living_before, 1);
}

TEST_F(SiblingWatchTest, FindsTheLauncherPastWrapperScripts) {
  proc.add({.pid = 100, .parent = 10, .command = "sh", .environment = FakeProc::pe("job", 0)});
  proc.add({.pid = 200, .parent = 100, .command = "prog", .environment = FakeProc::pe("job", 0)});
  proc.remove(101);
  auto w = watch(0, 200);
  w.look();
  EXPECT_EQ(w.look().ended, Pes{1});
}

TEST_F(SiblingWatchTest, IgnoresTheProcessesOfOtherJobs) {
  proc.add({.pid = 102, .parent = 10, .command = "prog", .environment = FakeProc::pe("old", 2)});
  auto w = watch(0, 100);
  w.look();
  EXPECT_EQ(w.look().ended, Pes{2});
}

TEST_F(SiblingWatchTest, RemoteAgentsOfTheLauncherDoNotCount) {
  using namespace std::string_literals;
  proc.add({.pid = 50, .parent = 10, .command = "ssh", .environment = "HOME=/\0"s});
  proc.remove(102);
  auto w = watch(0, 100);
  w.look();
  EXPECT_EQ(w.look().ended, Pes{2});
}

TEST_F(SiblingWatchTest, DoesNotGuessUnderAnUnknownLauncher) {
  proc.add({.pid = 10, .parent = 1, .command = "someone"});
  proc.remove(102);
  auto w = watch(0, 100);
  w.look();
  EXPECT_TRUE(w.look().ended.empty());
}

TEST_F(SiblingWatchTest, DoesNotGuessInItsOwnPidNamespace) {
  proc.add({.pid = 100, .parent = 0, .command = "prog", .environment = FakeProc::pe("job", 0)});
  proc.remove(102);
  auto w = watch(0, 100);
  w.look();
  EXPECT_TRUE(w.look().ended.empty());
}

TEST_F(SiblingWatchTest, DoesNotGuessWhileAChildCannotBeIdentified) {
  using namespace std::string_literals;
  // Between fork and exec a child still is "mpirun" with mpirun's environment.
  proc.add({.pid = 102, .parent = 10, .command = "mpirun", .environment = "HOME=/\0"s});
  auto w = watch(0, 100);
  w.look();
  EXPECT_TRUE(w.look().ended.empty());
  proc.add({.pid = 102, .parent = 10, .command = "prog", .environment = ""});
  w.look();
  EXPECT_TRUE(w.look().ended.empty());
}

TEST_F(SiblingWatchTest, IsOffWithoutAListOfLocalPes) {
  SiblingWatch w("job", 0, {}, 100, ProcessTable(proc.root()));
  proc.remove(102);
  w.look();
  EXPECT_TRUE(w.look().ended.empty());
}

}  // namespace
}  // namespace canopy
