// The part of the machine that a process sees, and the numberings of devices. (semantics:
// "Devices", visible list)
//
// The list is read when the runtime starts, so each case runs in a process of its own: the
// statement of a death test, started afresh.
#include "tests/unit/api/gate.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace canopy::test {
namespace {

// Ends the process with the line of the first check that does not hold.
#define MUST(condition)                                                       \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, why()); \
      std::_Exit(1);                                                          \
    }                                                                         \
  } while (0)

class VisibleDevices : public testing::Test {
 protected:
  void SetUp() override { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
  // aclrtGetDeviceCount of a process with this list.
  static void expect_count(const char* list, uint32_t expected) {
    ::setenv("ASCEND_RT_VISIBLE_DEVICES", list, 1);
    uint32_t count = 99;
    MUST(aclrtGetDeviceCount(&count) == ACL_SUCCESS);
    MUST(count == expected);
    std::_Exit(0);
  }
};

TEST_F(VisibleDevices, AreAllWithoutAList) {
  EXPECT_EXIT(expect_count("", 4), testing::ExitedWithCode(0), "");
}
TEST_F(VisibleDevices, AreThoseOfTheList) {
  EXPECT_EXIT(expect_count("3,1", 2), testing::ExitedWithCode(0), "");
}
TEST_F(VisibleDevices, EndWithTheFirstBadEntryOfTheList) {
  EXPECT_EXIT(expect_count("0,2,x,1", 2), testing::ExitedWithCode(0), "");
}

TEST_F(VisibleDevices, ANoneIs207004) {
  const auto run = [] {
    ::setenv("ASCEND_RT_VISIBLE_DEVICES", "none", 1);
    MUST(aclrtSetDevice(0) == ACL_ERROR_RT_NO_DEVICE);
    std::_Exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(VisibleDevices, AreNumberedAnew) {
  const auto run = [] {
    ::setenv("ASCEND_RT_VISIBLE_DEVICES", "3,1", 1);
    MUST(aclrtSetDevice(1) == ACL_SUCCESS);
    MUST(aclrtSetDevice(2) == ACL_ERROR_RT_INVALID_DEVICEID);
    int32_t id = -1;
    MUST(aclrtGetDevice(&id) == ACL_SUCCESS && id == 1);
    MUST(aclrtGetLogicDevIdByUserDevId(0, &id) == ACL_SUCCESS && id == 3);
    MUST(aclrtGetLogicDevIdByUserDevId(1, &id) == ACL_SUCCESS && id == 1);
    MUST(aclrtGetLogicDevIdByUserDevId(2, &id) == ACL_ERROR_RT_INVALID_DEVICEID);
    MUST(aclrtGetUserDevIdByLogicDevId(3, &id) == ACL_SUCCESS && id == 0);
    MUST(aclrtGetUserDevIdByLogicDevId(0, &id) == ACL_ERROR_RT_INVALID_DEVICEID);
    MUST(aclrtGetUserDevIdByPhyDevId(1, &id) == ACL_SUCCESS && id == 1);
    MUST(aclrtGetPhyDevIdByUserDevId(0, &id) == ACL_SUCCESS && id == 3);
    // Kept for old programs: both sides are a user's id and a physical one.
    MUST(aclrtGetLogicDevIdByPhyDevId(3, &id) == ACL_SUCCESS && id == 0);
    MUST(aclrtGetPhyDevIdByLogicDevId(0, &id) == ACL_SUCCESS && id == 3);
    int64_t chip = -1;
    MUST(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_PHY_CHIP_ID, &chip) == ACL_SUCCESS && chip == 3);
    std::_Exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

// Two numberings of one card: its memory is one.
TEST_F(VisibleDevices, ShareTheCardsMemoryWithWhoCallsItOtherwise) {
  void* memory = nullptr;
  if (!testing::internal::InDeathTestChild()) {  // which comes by here as well
    ACL_OK(aclrtSetDevice(3));
    ACL_OK(aclrtMalloc(&memory, 200 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
    ::setenv("CANOPY_TEST_HOST_TABLE", ::getenv("CANOPY_HOST_TABLE"), 1);
  }
  const auto run = [] {
    ::setenv("ASCEND_RT_VISIBLE_DEVICES", "3", 1);
    ::setenv("CANOPY_HOST_TABLE", ::getenv("CANOPY_TEST_HOST_TABLE"), 1);
    MUST(aclrtSetDevice(0) == ACL_SUCCESS);
    size_t free = 0;
    size_t total = 0;
    MUST(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total) == ACL_SUCCESS);
    MUST(total == size_t{256} << 20 && free <= total - (size_t{200} << 20));
    std::_Exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtResetDevice(3));
}

TEST(DeviceIds, AreAllTheSameWithoutAList) {
  for (int32_t device = 0; device < 4; ++device) {
    for (auto translate : {&aclrtGetLogicDevIdByUserDevId, &aclrtGetUserDevIdByLogicDevId,
                           &aclrtGetLogicDevIdByPhyDevId, &aclrtGetPhyDevIdByLogicDevId,
                           &aclrtGetUserDevIdByPhyDevId, &aclrtGetPhyDevIdByUserDevId}) {
      int32_t id = -1;
      ACL_OK(translate(device, &id));
      EXPECT_EQ(id, device);
      ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, translate(4, &id));
      ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, translate(-1, &id));
      ACL_CODE(ACL_ERROR_INVALID_PARAM, translate(device, nullptr));
    }
  }
}

}  // namespace
}  // namespace canopy::test
