#include "tests/unit/core/private_machine.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <string>

namespace canopy::test {
namespace {

TEST(PrivateMachine, OfADeathTestLiesInTheFolderOfTheTestThatRemovesIt) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        const std::string left = write_scratch("left", "");
        const std::string parents = "/canopy-test-" + std::to_string(::getppid()) + "/";
        ::_exit(left.find(parents) == std::string::npos ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace canopy::test
