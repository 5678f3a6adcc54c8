// The newest error: sentences and codes, per thread; and what functions say that are not built.
#include "tests/unit/api/gate.h"

#include "acl/acl_dump.h"
#include "acl/acl_platform.h"
#include "acl/acl_prof.h"
#include "acl/acl_tdt.h"
#include "acl/acl_tdt_queue.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
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

class RecentErrMsg : public LastError {
 protected:
  void TearDown() override {
    aclFinalize();
    forget();
  }
  static std::string text() {
    const char* newest = aclGetRecentErrMsg();
    return newest == nullptr ? "" : newest;
  }
};

TEST_F(RecentErrMsg, IsNewestFirstAndNullWhenThereIsNone) {
  aclrtFree(nullptr);
  aclrtFreeHost(nullptr);
  EXPECT_STREQ(why(), "aclrtFreeHost: hostPtr must not be NULL");
  EXPECT_STREQ(why(), "aclrtFree: devPtr must not be NULL");
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
}

TEST_F(RecentErrMsg, TellsWhatHappenedTheLikelyCauseAndWhatToDo) {
  EXPECT_EQ(aclrtSetDevice(77), ACL_ERROR_RT_INVALID_DEVICEID);
  const std::string newest = text();
  EXPECT_EQ(std::count(newest.begin(), newest.end(), '\n'), 2) << newest;
  EXPECT_NE(newest.find("77"), std::string::npos) << newest;
  EXPECT_NE(newest.find("\n  code 107001, likely cause: "), std::string::npos) << newest;
  EXPECT_NE(newest.find("\n  what to do: "), std::string::npos) << newest;
}

TEST_F(RecentErrMsg, NamesTheCodeThatWasReturned) {
  EXPECT_EQ(aclInit("/there/is/none.json"), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(text().find("code 100000"), std::string::npos);
}

// The code is mostly given for something else, whose cause would be a wrong one here.
TEST_F(RecentErrMsg, OfARefusedHostTableIsTheSentenceAlone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a program of its own: a table is opened once
  const auto refused = [] {
    const std::string table = std::getenv("CANOPY_HOST_TABLE");
    std::ofstream(table).close();
    ::chmod(table.c_str(), 0666);
    aclInit(nullptr);
    const aclError code = aclrtSetDevice(0);
    const std::string newest = text();
    std::fputs(newest.c_str(), stderr);
    const bool alone = newest == "host table " + table + " is open to other users (mode 666, not 600)";
    ::_exit(code == ACL_ERROR_RT_NO_PERMISSION && alone ? 0 : 1);
  };
  EXPECT_EXIT(refused(), testing::ExitedWithCode(0), "is open to other users");
}

TEST_F(RecentErrMsg, KeepsTheNewestEightOfAThread) {
  for (int device = 100; device < 120; ++device) {
    EXPECT_EQ(aclrtSetDevice(device), ACL_ERROR_RT_INVALID_DEVICEID);
  }
  for (int device = 119; device > 111; --device) {
    EXPECT_NE(text().find(std::to_string(device)), std::string::npos) << device;
  }
  EXPECT_EQ(text(), "");
}

TEST_F(RecentErrMsg, BelongsToItsThread) {
  std::thread([] { EXPECT_EQ(aclrtSetDevice(77), ACL_ERROR_RT_INVALID_DEVICEID); }).join();
  EXPECT_EQ(text(), "");
}

TEST_F(RecentErrMsg, BelongsToTheProcessWhenTheConfigurationSaysSo) {
  ACL_OK(aclInit(write_scratch("process.json", R"({"err_msg_mode": "1"})").c_str()));
  std::thread([] { EXPECT_EQ(aclrtSetDevice(77), ACL_ERROR_RT_INVALID_DEVICEID); }).join();
  EXPECT_NE(text().find("77"), std::string::npos);
  std::thread([] { EXPECT_EQ(text(), "") << "taken once"; }).join();
  ACL_OK(aclFinalize());
  std::thread([] { EXPECT_EQ(aclrtSetDevice(78), ACL_ERROR_RT_INVALID_DEVICEID); }).join();
  EXPECT_EQ(text(), "") << "finalize ends it";
}

TEST_F(RecentErrMsg, HasAModeOfItsOwnOnly) {
  for (const char* mode : {"\"2\"", "\"\"", "1", "null", "[]"}) {
    const std::string json = "{\"err_msg_mode\": " + std::string(mode) + "}";
    ACL_CODE(ACL_ERROR_PARSE_FILE, aclInit(write_scratch("mode.json", json).c_str())) << json;
  }
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
      EXPECT_EQ(reinterpret_cast<int (*)()>(address)(), ACL_ERROR_RT_FEATURE_NOT_SUPPORT)
          << row.name;
    } else if (state == "pointer") {
      EXPECT_EQ(reinterpret_cast<void* (*)()>(address)(), nullptr) << row.name;
    } else if (state == "number") {
      EXPECT_EQ(reinterpret_cast<size_t (*)()>(address)(), 0u) << row.name;
    } else {
      ASSERT_EQ(state, "nothing") << row.name;
      reinterpret_cast<void (*)()>(address)();
    }
    EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_ERROR_RT_FEATURE_NOT_SUPPORT) << row.name;
    EXPECT_EQ(
        std::string(why()),
        std::string(row.name) + " is not built in this version; `canopy info --api` lists what is");
    ++called;
  }
  RecordProperty("not_built", called);
}

}  // namespace
}  // namespace canopy::test
