// How much is said, by the environment. The level is read before main: so a child says it.
#include "runtime/base/log.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace canopy {
namespace {

TEST(LogOfAChild, DISABLED_SpeaksAtEveryLevel) {
  log(LogLevel::debug, "says d");
  log(LogLevel::info, "says i");
  log(LogLevel::warn, "says w");
  log(LogLevel::error, "says e");
}

// The letters of the levels that a child speaks at with `settings` in front of its command.
std::string said_with(const std::string& settings) {
  std::array<char, 4096> self{};
  EXPECT_GT(::readlink("/proc/self/exe", self.data(), self.size() - 1), 0);
  const std::string command =
      "env -u CANOPY_LOG -u ASCEND_GLOBAL_LOG_LEVEL " + settings + " '" + self.data() +
      "' --gtest_filter=LogOfAChild.* --gtest_also_run_disabled_tests 2>&1 >/dev/null";
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) {
    return "no child";
  }
  std::string letters;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    const std::string text = line.data();
    if (const size_t at = text.find("says "); at != std::string::npos) {
      letters += text[at + 5];
    }
  }
  EXPECT_EQ(::pclose(output), 0);
  return letters;
}

TEST(Log, TheLevelComesFromTheEnvironment) {
  EXPECT_EQ(said_with(""), "we");
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=0"), "diwe");
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=1"), "iwe");
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=3"), "e");
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=4"), "");
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=5"), "we") << "no level";
  EXPECT_EQ(said_with("ASCEND_GLOBAL_LOG_LEVEL=0 CANOPY_LOG=error"), "e") << "our own name first";
}

}  // namespace
}  // namespace canopy
