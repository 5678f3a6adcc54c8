// Lists of processes, and numbers that get used again.
#include "runtime/driver/process_list.h"

#include "runtime/base/log.h"
#include "runtime/driver/listed_processes.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <initializer_list>
#include <thread>
#include <vector>

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
  EXPECT_TRUE(list.add(ProcessList({other.pid()}).entries()[0]));
  EXPECT_FALSE(list.add(ProcessList({other.pid()}).entries()[0]));
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

TEST(ProcessList, TheNumberOfAThreadIsNobodys) {
  std::atomic<pid_t> tid{0};
  std::atomic<bool> stop{false};
  std::thread other([&] {
    tid = static_cast<pid_t>(::syscall(SYS_gettid));
    stop.wait(false);
  });
  while (tid == 0) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(end_of_process({tid, 0}));
  EXPECT_EQ(errno, ESRCH);
  if (process_identity(::getpid()) != 0) {
    EXPECT_FALSE(ProcessList({tid}).has(tid, process_identity(::getpid())));
  }
  stop = true;
  stop.notify_all();
  other.join();
}

// Listed for exports 1, 2 and 3; every process has one descriptor, or none.
class ListedProcessesTest : public ::testing::TestWithParam<size_t> {
 protected:
  ListedProcessesTest() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listed_(epoll_, GetParam()) {}
  ProcessList list(uint64_t id, std::initializer_list<pid_t> pids) {
    ProcessList result(pids);
    for (const auto& each : result.entries()) {
      listed_.add(id, each, next_token_);
    }
    return result;
  }
  // The ids that are deserted when a process has ended, which takes the kernel a moment to tell.
  std::vector<uint64_t> deserted_by(ChildProcess& process) {
    process.kill();
    std::vector<uint64_t> ids;
    epoll_event events[8];
    for (int count = ::epoll_wait(epoll_.get(), events, 8, 0); count > 0; count = ::epoll_wait(epoll_.get(), events, 8, 0)) {
      for (int i = 0; i < count; ++i) {
        EXPECT_TRUE(listed_.handle(events[i].data.u64, &ids));
      }
    }
    listed_.look(now_ns_ += 1'000'000'000, &ids);
    std::erase_if(ids, [&](uint64_t id) { return !listed_.deserted(id); });
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  UniqueFd epoll_;
  ListedProcesses listed_;
  uint64_t next_token_ = 7;
  uint64_t now_ns_ = 0;
};

TEST_P(ListedProcessesTest, TellsWhenTheLastOneHasEnded) {
  ChildProcess a([](Line& line) { line.hear(); }), b([](Line& line) { line.hear(); });
  EXPECT_FALSE(listed_.deserted(1)) << "nobody is listed";
  list(1, {a.pid(), b.pid(), ::getpid()});
  list(2, {b.pid()});
  list(3, {a.pid()});
  EXPECT_EQ(listed_.has_unwatched(), GetParam() < 2);
  EXPECT_EQ(deserted_by(a), std::vector<uint64_t>{3});
  EXPECT_FALSE(listed_.deserted(1));
  EXPECT_TRUE(listed_.deserted(3));
  EXPECT_EQ(deserted_by(b), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(listed_.deserted(1));
  EXPECT_FALSE(listed_.has_unwatched());
  list(2, {b.pid()});
  EXPECT_TRUE(listed_.deserted(2)) << "it had ended when it was listed";
}

TEST_P(ListedProcessesTest, AnEndIsNoticedWhileNoDescriptorIsFree) {
  ChildProcess a([](Line& line) { line.hear(); });
  list(1, {a.pid()});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest_free(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto ids = deserted_by(a);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(ids, std::vector<uint64_t>{1});
}

TEST_P(ListedProcessesTest, WhatIsForgottenIsNotTold) {
  ChildProcess a([](Line& line) { line.hear(); });
  const ProcessList of_one = list(1, {a.pid()});
  list(2, {a.pid()});
  listed_.forget(1, of_one);
  EXPECT_FALSE(listed_.deserted(1));
  EXPECT_EQ(deserted_by(a), std::vector<uint64_t>{2});
  ChildProcess c([](Line& line) { line.hear(); });
  const ProcessList only = list(3, {c.pid()});
  listed_.forget(3, only);
  EXPECT_FALSE(listed_.has_unwatched()) << "nor watched any more";
  EXPECT_EQ(deserted_by(c), std::vector<uint64_t>{});
}

TEST_P(ListedProcessesTest, WhoTakesLeaveIsGoneUntilItFetches) {
  ChildProcess a([](Line& line) { line.hear(); });
  const ProcessList::Entry its = ProcessList({a.pid()}).entries()[0];
  list(1, {a.pid()});
  list(2, {a.pid()});
  std::vector<uint64_t> changed;
  EXPECT_TRUE(listed_.some_to_come(1));
  listed_.note_fetch(1, its, &changed);
  EXPECT_FALSE(listed_.some_to_come(1));
  EXPECT_FALSE(listed_.deserted(1));
  EXPECT_EQ(changed, std::vector<uint64_t>{});
  listed_.take_leave(its, [](uint64_t id) { return id == 1; }, &changed);
  EXPECT_EQ(std::exchange(changed, {}), std::vector<uint64_t>{2});
  EXPECT_FALSE(listed_.deserted(1)) << "it keeps that";
  EXPECT_TRUE(listed_.deserted(2));
  listed_.take_leave_of(1, its, &changed);
  listed_.take_leave_of(1, its, &changed);
  EXPECT_EQ(std::exchange(changed, {}), std::vector<uint64_t>{1});
  EXPECT_TRUE(listed_.deserted(1));
  listed_.note_fetch(2, its, &changed);
  EXPECT_EQ(std::exchange(changed, {}), std::vector<uint64_t>{1});
  EXPECT_TRUE(listed_.some_to_come(1)) << "it may fetch that, too";
  EXPECT_FALSE(listed_.deserted(2));
  listed_.take_leave(its, [](uint64_t) { return false; }, &changed);
  EXPECT_TRUE(listed_.deserted(1));
  list(1, {a.pid()});
  EXPECT_TRUE(listed_.some_to_come(1)) << "it is expected once more";
  EXPECT_EQ(deserted_by(a), (std::vector<uint64_t>{1, 2}));
  listed_.take_leave(its, [](uint64_t) { return false; }, &changed);
  listed_.note_fetch(1, its, &changed);
  EXPECT_TRUE(listed_.deserted(1));
  EXPECT_TRUE(listed_.deserted(2));
}

TEST_P(ListedProcessesTest, ThisProcessDoesNotCount) {
  list(1, {::getpid()});
  EXPECT_FALSE(listed_.deserted(1));
}

INSTANTIATE_TEST_SUITE_P(Watching, ListedProcessesTest, ::testing::Values(0, 1, 16));

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
