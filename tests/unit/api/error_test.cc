// The newest error: sentences and codes, per thread; and what functions say that are not built.
#include "tests/unit/api/gate.h"

#include "acl/acl_dump.h"
#include "acl/acl_platform.h"
#include "acl/acl_prof.h"
#include "acl/acl_tdt.h"
#include "acl/acl_tdt_queue.h"

#include <cstring>
#include <string>
#include <thread>

namespace canopy::test {
namespace {

class LastError : public testing::Test {
 protected:
  void SetUp() override { forget(); }
  void TearDown() override { forget(); }
  static void forget() {
    aclrtGetLastError(ACL_RT_THREAD_LEVEL);
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }
};

TEST_F(LastError, IsZeroBeforeAnyFailure) {
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
}

TEST_F(LastError, PeekKeepsItAndGetForgetsIt) {
  EXPECT_EQ(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
}

TEST_F(LastError, IsTheNewestAndSurvivesSuccess) {
  EXPECT_EQ(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID);
  uint32_t count = 0;
  EXPECT_EQ(aclrtGetDeviceCount(&count), ACL_SUCCESS);
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_RT_INVALID_DEVICEID);
}

TEST_F(LastError, IsTheCodeThatWasReturned) {
  // Calls that give their own number to an error of the inside.
  const auto expect = [](aclError expected, aclError returned) {
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), expected);
  };
  void* out = nullptr;
  expect(ACL_ERROR_INVALID_PARAM, aclInit("/there/is/none.json"));
  expect(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(0));
  expect(ACL_ERROR_RT_INVALID_DEVICE_FUNCTION, aclrtGetFuncBySymbol(&out, &out));
  expect(ACL_ERROR_INVALID_PARAM, aclrtMallocHost(&out, 0));
  expect(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
}

TEST_F(LastError, BelongsToItsThread) {
  EXPECT_EQ(aclrtFree(nullptr), ACL_ERROR_INVALID_PARAM);
  std::thread([] {
    EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
    EXPECT_EQ(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID);
  }).join();
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_INVALID_PARAM);
}

TEST_F(LastError, TakesOneLevelOnly) {
  EXPECT_EQ(aclrtPeekAtLastError(static_cast<aclrtLastErrLevel>(1)), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_STREQ(why(), "level 1 is not one of aclrtLastErrLevel");
  EXPECT_EQ(aclrtGetLastError(static_cast<aclrtLastErrLevel>(7)), ACL_ERROR_RT_PARAM_INVALID);
}

// ---- The rows of the table: each is called without arguments, which nobody may read.

struct Row {
  const char* name;
  const char* state;
  void* address;  // through the headers: a row that no header declares does not compile
};
const Row kRows[] = {
#define ACL_FUNCTION(name, header, state) {#name, #state, reinterpret_cast<void*>(&name)},
#include "runtime/api/table/functions.inc"
#undef ACL_FUNCTION
};

TEST_F(LastError, EveryFunctionThatIsNotBuiltReturns207000AndSaysSo) {
  int called = 0;
  for (const Row& row : kRows) {
    if (std::strcmp(row.state, "built") == 0) {
      continue;
    }
    void* address = row.address;
    const std::string state = row.state;
    if (state == "code") {
      EXPECT_EQ(reinterpret_cast<int (*)()>(address)(), ACL_ERROR_RT_FEATURE_NOT_SUPPORT) << row.name;
    } else if (state == "pointer") {
      EXPECT_EQ(reinterpret_cast<void* (*)()>(address)(), nullptr) << row.name;
    } else if (state == "number") {
      EXPECT_EQ(reinterpret_cast<size_t (*)()>(address)(), 0u) << row.name;
    } else {
      ASSERT_EQ(state, "nothing") << row.name;
      reinterpret_cast<void (*)()>(address)();
    }
    EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_RT_FEATURE_NOT_SUPPORT) << row.name;
    EXPECT_EQ(std::string(why()), std::string(row.name) + " is not built in this version; `canopy info --api` lists what is");
    ++called;
  }
  RecordProperty("not_built", called);
}

}  // namespace
}  // namespace canopy::test
