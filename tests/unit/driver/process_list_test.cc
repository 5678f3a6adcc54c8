// Lists of processes, and numbers that get used again.
#include "runtime/driver/process_list.h"

#include "runtime/base/log.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <sys/syscall.h>

#include <linux/sched.h>

namespace canopy {
namespace {

using namespace test;

constexpr uint64_t kStranger = 1;  // nobody's: inodes of pidfds are counted from higher up

TEST(ProcessList, HasWhoIsListedAndNobodyElse) {
  ChildProcess other([](Line& line) { line.hear(); });
  ProcessList list({::getpid()});
  EXPECT_TRUE(list.has(::getpid(), process_identity(::getpid())));
  EXPECT_FALSE(list.has(other.pid(), process_identity(other.pid())));
  EXPECT_FALSE(list.has(0, 0)) << "in a pid namespace that we do not see";
  list.add(ProcessList({other.pid()}));
  EXPECT_TRUE(list.has(other.pid(), process_identity(other.pid())));
}

TEST(ProcessList, ANumberAloneIsNotTheProcess) {
  if (process_identity(::getpid()) == 0) {
    GTEST_SKIP() << "this kernel has no names of processes (Linux 6.9)";
  }
  const ProcessList list({::getpid()});
  EXPECT_FALSE(list.has(::getpid(), kStranger));
  EXPECT_FALSE(list.has(::getpid(), 0)) << "whom nothing is known of";
}

TEST(ProcessList, ANumberThatNobodyHasLetsNobodyIn) {
  ChildProcess gone([](Line&) {});
  const pid_t pid = gone.pid();
  gone.kill();
  const ProcessList list({pid});
  if (process_identity(::getpid()) == 0) {
    GTEST_SKIP() << "this kernel has no names of processes (Linux 6.9)";
  }
  EXPECT_FALSE(list.has(pid, process_identity(::getpid())));
}

// A child with the number `wanted`, which runs body() and leaves with what that returns; -1: not possible here.
template <class Body>
pid_t fork_as(pid_t wanted, Body&& body) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<uintptr_t>(&wanted);
  arguments.set_tid_size = 1;
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) {
    ::_exit(body());
  }
  return static_cast<pid_t>(child);
}

TEST(ProcessList, WhoHasTheNumberOfAListedProcessThatIsGoneIsRefused) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a child that sanitizers have not seen coming";
#endif
  if (process_identity(::getpid()) == 0) {
    GTEST_SKIP() << "this kernel has no names of processes (Linux 6.9)";
  }
  ChildProcess listed([](Line& line) { line.hear(); });
  const pid_t number = listed.pid();
  Exporter exporter([](Line& line, auto&, uint64_t, Mapping&) { line.hear(); }, {number});
  listed.kill();
  const pid_t child = fork_as(number, [&] {
    auto broker = start();
    return broker->connect(exporter.address, 1) && broker->fetch(exporter.address, exporter.id).error().code == Errc::no_permission ? 0 : 1;
  });
  if (child < 0) {
    GTEST_SKIP() << "only root can choose the number of a process";
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(child, number);
  EXPECT_EQ(status, 0) << "it was let in";
}

}  // namespace
}  // namespace canopy
