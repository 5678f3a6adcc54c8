// In containers /dev/shm has 64 MiB as a rule. Device memory does not lie there: tests run in one of that size.
#pragma once

#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace canopy::test {

inline std::vector<std::string> files_in_shm() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    names.push_back(entry.path().filename());
  }
  return names;
}

// Runs body() in a child of fork with a /dev/shm of its own, in which nothing may be left.
template <class Body>
void in_small_dev_shm(Body&& body) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can mount a /dev/shm of 64 MiB";
  }
  ChildProcess inside([&](Line& line) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64m") != 0) {
      line.say(fmt::format("skip: no mount namespace to be had: {}", std::strerror(errno)));
      return;
    }
    body();
    const auto left = files_in_shm();  // nobody else is in here
    EXPECT_TRUE(left.empty()) << left.size() << " files, the first is " << left.front();
    line.say(testing::Test::HasFailure() ? "failed, see above" : "passed");
  });
  std::string outcome;
  for (int i = 0; i < 6 && outcome.empty(); ++i) {  // it says nothing for as long as it runs
    outcome = inside.line().hear();
  }
  if (outcome.starts_with("skip")) {
    GTEST_SKIP() << outcome;
  }
  EXPECT_EQ(outcome, "passed");
}

}  // namespace canopy::test
