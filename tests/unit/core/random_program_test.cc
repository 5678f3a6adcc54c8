#include "tests/unit/core/random_program.h"

#include "runtime/base/env.h"

#include <gtest/gtest.h>

namespace canopy::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kPrograms = 60;
#else
constexpr uint64_t kPrograms = 200;
#endif

class RandomPrograms : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    for (int device : {0, 1}) {
      ASSERT_EQ(aclrtSetDevice(device), ACL_SUCCESS);
      ASSERT_EQ(aclrtDeviceEnablePeerAccess(1 - device, 0), ACL_SUCCESS);
    }
  }
  void TearDown() override { EXPECT_EQ(aclFinalize(), ACL_SUCCESS); }
};

// CANOPY_TEST_SEED=N runs program N alone, as a failure tells.
TEST_F(RandomPrograms, AgreeWithTheSequentialModel) {
  const auto alone = env::integer("CANOPY_TEST_SEED");
  const uint64_t first = alone ? static_cast<uint64_t>(*alone) : 1;
  const uint64_t last = alone ? first : kPrograms;
  for (uint64_t seed = first; seed <= last; ++seed) {
    RandomProgram program(seed);
    const std::string wrong = program.run(200 + static_cast<uint32_t>(seed % 7) * 50);
    ASSERT_EQ(wrong, "") << "CANOPY_TEST_SEED=" << seed;
  }
}

TEST_F(RandomPrograms, OfThousandsOfTasksAgreeAsWell) {
  for (uint64_t seed = 1001; seed <= 1003; ++seed) {
    RandomProgram program(seed);
    ASSERT_EQ(program.run(6'000), "") << "CANOPY_TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace canopy::test
