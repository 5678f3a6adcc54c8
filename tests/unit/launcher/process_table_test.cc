#include "launcher/bootstrap/process_table.h"

#include "tests/unit/launcher/fake_proc.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace canopy {
namespace {

TEST(ProcessTable, KnowsThisProcess) {
  ProcessTable table;
  auto stat = table.stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_FALSE(stat->ended);
  EXPECT_GT(stat->start_ticks, 0u);
  const auto all = table.all();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(),
                          [](const ProcessStat& one) { return one.pid == ::getpid(); }));
}

TEST(ProcessTable, ReadsNamesWithSpacesAndParentheses) {
  FakeProc proc;
  proc.add({.pid = 5, .parent = 4, .command = "a) S 1 (b", .start_ticks = 777});
  auto stat = ProcessTable(proc.root()).stat(5);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->command, "a) S 1 (b");
  EXPECT_EQ(stat->parent, 4);
  EXPECT_EQ(stat->start_ticks, 777u);
}

TEST(ProcessTable, AZombieHasEndedUnlessItsThreadsRunOn) {
  FakeProc proc;
  proc.add({.pid = 5, .parent = 4, .command = "x", .state = 'Z', .threads = 1});
  proc.add({.pid = 6, .parent = 4, .command = "x", .state = 'Z', .threads = 3});
  ProcessTable table(proc.root());
  EXPECT_TRUE(table.stat(5)->ended);
  EXPECT_FALSE(table.stat(6)->ended);
}

TEST(ProcessTable, TellsWhichPeAProcessWasLaunchedAs) {
  FakeProc proc;
  proc.add({.pid = 5, .parent = 4, .command = "x", .environment = FakeProc::pe("job", 3)});
  LaunchedAs as;
  EXPECT_EQ(ProcessTable(proc.root()).launched_as(5, &as), ProcessTable::Launch::yes);
  EXPECT_EQ(as.nspace, "job");
  EXPECT_EQ(as.pe, 3);
}

TEST(ProcessTable, DoesNotTakeAnUnreadableEnvironmentForNoJob) {
  FakeProc proc;
  using namespace std::string_literals;
  proc.add({.pid = 5, .parent = 4, .command = "x", .environment = "HOME=/\0"s});
  proc.add({.pid = 6, .parent = 4, .command = "x", .environment = ""});
  ProcessTable table(proc.root());
  LaunchedAs as;
  EXPECT_EQ(table.launched_as(5, &as), ProcessTable::Launch::no);
  EXPECT_EQ(table.launched_as(6, &as), ProcessTable::Launch::unknown);
  EXPECT_EQ(table.launched_as(7, &as), ProcessTable::Launch::unknown);
}

TEST(ProcessTable, AMissingProcIsAnEmptyAnswer) {
  ProcessTable table("/nonexistent");
  EXPECT_TRUE(table.all().empty());
  EXPECT_FALSE(table.stat(1));
}

}  // namespace
}  // namespace canopy
