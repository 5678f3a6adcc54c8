#include "tests/bench/harness/child.h"

#include <gtest/gtest.h>

namespace canopy::bench {
namespace {

class Child : public ::testing::Test {
 protected:
  void SetUp() override { block_child_signals(); }
};

TEST_F(Child, ReturnsWhatTheCommandPrinted) {
  auto output =
      run_child(Command{{"sh", "-c", "echo one; echo two >&2; echo $MARK"}, {{"MARK", "three"}}});
  ASSERT_TRUE(output) << error_text::newest();
  EXPECT_EQ(output->text, "one\nthree\n");
  EXPECT_GT(output->wall_ms, 0);
}

TEST_F(Child, FailsWithTheStatusAndStderr) {
  auto output = run_child(Command{{"sh", "-c", "echo broken >&2; exit 4"}, {}});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::closed);
  const std::string sentence = error_text::take_newest();
  EXPECT_NE(sentence.find("exit status 4"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("broken"), std::string::npos) << sentence;
}

TEST_F(Child, WithStatusThreeSaysThatTheMachineCannot) {
  const auto output = run_child(Command{{"sh", "-c", "echo no namespaces >&2; exit 3"}, {}});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::not_supported);
  const std::string sentence = error_text::take_newest();
  EXPECT_NE(sentence.find("no namespaces"), std::string::npos) << sentence;
}

TEST_F(Child, NamesTheSignalThatEndedIt) {
  ASSERT_FALSE(run_child(Command{{"sh", "-c", "kill -9 $$"}, {}}));
  EXPECT_NE(error_text::take_newest().find("signal 9"), std::string::npos);
}

TEST_F(Child, IsEndedAtItsLimit) {
  auto output = run_child(Command{{"sleep", "1000"}, {}, std::chrono::seconds(1)});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::timeout);
}

TEST_F(Child, ThatLeavesAProcessBehindDoesNotHoldUsUp) {
  auto output = run_child(Command{{"sh", "-c", "sleep 3 & echo done"}, {}});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "done\n");
  EXPECT_LT(output->wall_ms, 2000);
}

TEST_F(Child, ThatDoesNotExistIsAnError) {
  EXPECT_FALSE(run_child(Command{{"/no/such/program"}, {}}));
}

}  // namespace
}  // namespace canopy::bench
