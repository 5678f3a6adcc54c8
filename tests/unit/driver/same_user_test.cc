// Users behind numbers, where a user namespace maps none.
#include "runtime/driver/same_user.h"

#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace canopy {
namespace {

TEST(SameUser, NumbersDecideWhereAllUsersAreMapped) {
  EXPECT_TRUE(is_our_user(::geteuid(), ::getppid()));
  EXPECT_FALSE(is_our_user(::geteuid() + 1, ::getppid()));
}

TEST(SameUser, OneNumberForAllStrangersIsNobodysProof) {
  const UniqueFd anybodys(::memfd_create("anybodys", MFD_CLOEXEC));
  ASSERT_TRUE(anybodys);
  const pid_t outside = ::getpid();
  test::ChildProcess child([&](test::Line& line) {
    if (::unshare(CLONE_NEWUSER) != 0) {
      line.say("no namespace");
      return;
    }
    struct stat status {};
    ::fstat(anybodys.get(), &status);
    const UniqueFd own(::memfd_create("own", MFD_CLOEXEC));
    struct stat of_own {};
    ::fstat(own.get(), &of_own);
    const pid_t inner = ::fork();
    if (inner == 0) {
      ::pause();
    }
    line.say(fmt::format("numbers {} {}, process {} {} {}, file {}", status.st_uid == ::geteuid(), of_own.st_uid == ::geteuid(),
                         is_our_user(::geteuid(), outside), is_our_user(::geteuid(), 0), is_our_user(::geteuid(), inner),
                         is_our_file(own, of_own)));
    ::kill(inner, SIGKILL);
    int ended = 0;
    ::waitpid(inner, &ended, 0);
  });
  const std::string said = child.line().hear();
  if (said == "no namespace") {
    GTEST_SKIP() << "no user namespace can be made here";
  }
  EXPECT_EQ(said, "numbers true true, process false false true, file true");
}

}  // namespace
}  // namespace canopy
