// How much is said, by the environment. The level is read before main: so a child says it.
#include "runtime/base/log.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace canopy {
namespace {

TEST(LogOfAChild, DISABLED_SpeaksAtEveryLevel) {
  log(LogLevel::debug, "says d");
  log(LogLevel::info, "says i");
  log(LogLevel::warn, "says w");
  log(LogLevel::error, "says e");
}

TEST(LogOfAPe, DISABLED_Speaks) {
  set_log_identity("pe 1");
  report("pe 1: shmem_long_p: no");
  report("pe 1 waits for PE 2");
  report("pe 12: of another");
  report("PE 2 is gone");
  log(LogLevel::warn, "pe 1: careful");
  log(LogLevel::warn, "pe 1 of 3 waits");
  log(LogLevel::warn, "careful");
  set_log_identity("");
  report("pe 1: nobody");
}

// The lines that a child says in the disabled test `name`, with `settings` in front of its command.
std::vector<std::string> lines_of(const std::string& name, const std::string& settings) {
  std::array<char, 4096> self{};
  EXPECT_GT(::readlink("/proc/self/exe", self.data(), self.size() - 1), 0);
  const std::string command = "env -u CANOPY_LOG -u ASCEND_GLOBAL_LOG_LEVEL " + settings + " '" + self.data() +
                              "' --gtest_filter=" + name + " --gtest_also_run_disabled_tests 2>&1 >/dev/null";
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) {
    return {"no child"};
  }
  std::vector<std::string> lines;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    const std::string text = line.data();
    lines.push_back(text.substr(0, text.find('\n')));
  }
  EXPECT_EQ(::pclose(output), 0);
  return lines;
}

// The letters of the levels that a child speaks at.
std::string said_with(const std::string& settings) {
  std::string letters;
  for (const std::string& text : lines_of("LogOfAChild.*", settings)) {
    if (const size_t at = text.find("says "); at != std::string::npos) {
      letters += text[at + 5];
    }
  }
  return letters;
}

TEST(Log, SaysWhoSpeaksOnce) {
  EXPECT_EQ(lines_of("LogOfAPe.*", ""),
            (std::vector<std::string>{"canopy pe 1: shmem_long_p: no", "canopy pe 1 waits for PE 2",
                                      "canopy pe 1: pe 12: of another", "canopy pe 1: PE 2 is gone",
                                      "canopy pe 1 warning: careful", "canopy warning: pe 1 of 3 waits",
                                      "canopy pe 1 warning: careful", "canopy: pe 1: nobody"}));
}

TEST(Log, ASentenceOfAnotherCanBeQuotedWithoutItsName) {
  EXPECT_EQ(after_speaker("pe 1: no room", "pe 1"), "no room");
  EXPECT_EQ(after_speaker("pe 1: no room", "pe 2"), "pe 1: no room");
  EXPECT_EQ(after_speaker("pe 1 waits", "pe 1"), "pe 1 waits");
  EXPECT_EQ(after_speaker("pe 1", "pe 1"), "pe 1");
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
