// Output that cannot be written: of every command one sentence and an exit code, never a signal.
#include "tests/unit/cli/canopy_command.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace canopy {
namespace {

using test::has;
using test::Ran;
using test::shell;

constexpr const char* kFull = "the output cannot be written (No space left on device)\n";

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() : table_(std::filesystem::temp_directory_path() / fmt::format("canopy-output-{}", ::getpid())) {
    ::setenv("CANOPY_HOST_TABLE", table_.c_str(), 1);
    ::setenv("CANOPY_SOC_SPEC", "dual-npu", 1);
  }
  ~OutputTest() override { std::filesystem::remove(table_); }

  const std::filesystem::path table_;
};

// What it says; stdout goes elsewhere.
Ran said_of(const std::string& arguments, const std::string& elsewhere) {
  return shell(fmt::format("timeout 30 {} {} 2>&1 {}", CANOPY_COMMAND, arguments, elsewhere));
}

// A reader that has gone, and nobody who would die of SIGPIPE.
Ran said_to_nobody(const std::string& arguments) {
  return shell(fmt::format("exec 3>&1; {{ sleep 0.1; trap '' PIPE; timeout 30 {} {} 2>&3; echo code $? >&3; }} | true",
                           CANOPY_COMMAND, arguments));
}

TEST_F(OutputTest, AFullDiskIsASentenceOfEveryCommand) {
  for (const char* command : {"smi", "smi --json", "smi topo", "smi --events", "smi --watch 0.01", "smi --watch 0.01 --json",
                              "topo", "topo --json", "topo --list", "topo --why 0 1", "info", "info --api",
                              "run -n 1 --dry-run true", "cluster status",
                              "bench p2p --sizes 8 --iterations 1 --latency-iterations 1",
                              "bench p2p --sizes 8 --iterations 1 --latency-iterations 1 --json"}) {
    const Ran ran = said_of(command, ">/dev/full");
    EXPECT_EQ(ran.code, 2) << command << ": " << ran.out;
    const std::string name = std::string(command).substr(0, std::string(command).find(' '));
    EXPECT_EQ(ran.out, fmt::format("canopy {}: {}", name, kFull)) << command;
  }
  for (const char* command : {"--help", "--version", "smi --help"}) {
    const Ran ran = said_of(command, ">/dev/full");
    EXPECT_EQ(ran.code, 2) << command << ": " << ran.out;
    EXPECT_TRUE(has(ran.out, kFull)) << command << ": " << ran.out;
  }
}

TEST_F(OutputTest, AReaderThatHasGoneEndsACommand) {
  for (const char* command : {"smi", "smi --json", "smi --watch 0.01", "smi --watch 0.01 --json", "info --api"}) {
    const Ran ran = said_to_nobody(command);
    EXPECT_TRUE(has(ran.out, "the output cannot be written (Broken pipe)\ncode 2\n")) << command << ": " << ran.out;
  }
}

// The next file that the command opens would be its stdout: the table that processes share, for one.
TEST_F(OutputTest, AClosedStdoutIsNotTheNextFile) {
  const Ran ran = said_of("bench p2p --sizes 8 --iterations 1 --latency-iterations 1", ">&-");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.out, "the output cannot be written (Bad file descriptor)")) << ran.out;
}

TEST_F(OutputTest, WithoutAnyStreamThereIsStillAnExitCode) {
  EXPECT_EQ(shell(fmt::format("{} smi --json >/dev/full 2>/dev/full", CANOPY_COMMAND)).code, 2);
  EXPECT_EQ(shell(fmt::format("{} frob >/dev/full 2>/dev/full", CANOPY_COMMAND)).code, 2);
  EXPECT_EQ(shell(fmt::format("{} smi <&- >&- 2>&-", CANOPY_COMMAND)).code, 2);
}

}  // namespace
}  // namespace canopy
