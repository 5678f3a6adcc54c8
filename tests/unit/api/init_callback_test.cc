// Callbacks of init and finalize, the process-wide parameters.
#include "tests/unit/api/gate.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr auto kType = ACL_REG_TYPE_ACL_OP_EXECUTOR;

struct Heard {
  std::vector<std::string> calls;
  aclError answer = ACL_SUCCESS;
};

aclError hear_init(const char* config, size_t bytes, void* heard) {
  auto& list = *static_cast<Heard*>(heard);
  list.calls.push_back("init " + std::string(config, bytes));
  EXPECT_EQ(config[bytes], '\0');
  return list.answer;
}
aclError hear_init_too(const char*, size_t, void* heard) {
  static_cast<Heard*>(heard)->calls.emplace_back("init too");
  return ACL_SUCCESS;
}
aclError hear_finalize(void* heard) {
  auto& list = *static_cast<Heard*>(heard);
  int32_t device = -1;
  list.calls.push_back(aclrtGetDevice(&device) == ACL_SUCCESS ? "finalize while alive"
                                                              : "finalize too late");
  return list.answer;
}
aclError hear_finalize_too(void* heard) {
  static_cast<Heard*>(heard)->calls.emplace_back("finalize too");
  return ACL_SUCCESS;
}

class InitCallback : public testing::Test {
 protected:
  void TearDown() override {
    aclFinalize();
    aclInitCallbackUnRegister(kType, hear_init);
    aclInitCallbackUnRegister(kType, hear_init_too);
    aclFinalizeCallbackUnRegister(kType, hear_finalize);
    aclFinalizeCallbackUnRegister(kType, hear_finalize_too);
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }
  using Calls = std::vector<std::string>;
  Heard heard_;
};

TEST_F(InitCallback, ThatThrowsIs507000AndNothingIsLeft) {
  const aclInitCallbackFunc throws = [](const char*, size_t, void*) -> aclError { throw std::runtime_error("no"); };
  ACL_OK(aclInitCallbackRegister(kType, throws, nullptr));
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclInit(nullptr));
  ACL_OK(aclInitCallbackUnRegister(kType, throws));
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize()) << "undone";
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclInitCallbackRegister(kType, throws, nullptr)) << "called at once";
  EXPECT_STREQ(why(), "a callback of aclInit has thrown an exception: no");
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclInitCallbackUnRegister(kType, throws));
}

TEST_F(InitCallback, OfFinalizeThatThrowsDoesNotStopItNorTheOthers) {
  const aclFinalizeCallbackFunc throws = [](void*) -> aclError { throw std::runtime_error("no"); };
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclFinalizeCallbackRegister(kType, hear_finalize_too, &heard_));
  ACL_OK(aclFinalizeCallbackRegister(kType, throws, nullptr));
  for (int round = 0; round < 2; ++round) {
    ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclFinalize());
    EXPECT_STREQ(why(), "a callback of aclFinalize has thrown an exception: no");
    ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
    ACL_OK(aclInit(nullptr));
  }
  EXPECT_EQ(heard_.calls, (Calls{"finalize too", "finalize too"}));
  ACL_OK(aclFinalizeCallbackUnRegister(kType, throws));
}

TEST_F(InitCallback, RunsWithTheConfigurationAtTheFirstInitOnly) {
  ACL_OK(aclInitCallbackRegister(kType, hear_init, &heard_));
  EXPECT_TRUE(heard_.calls.empty());
  ACL_OK(aclInit(write_scratch("callback.json", R"({"a": 1})").c_str()));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  EXPECT_EQ(heard_.calls, (Calls{R"(init {"a": 1})"}));
}

TEST_F(InitCallback, RunsAtOnceWhenTheRuntimeIsReady) {
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclInitCallbackRegister(kType, hear_init, &heard_));
  EXPECT_EQ(heard_.calls, (Calls{"init "}));
}

TEST_F(InitCallback, OutlivesFinalize) {
  ACL_OK(aclInitCallbackRegister(kType, hear_init, &heard_));
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  EXPECT_EQ(heard_.calls, (Calls{"init ", "init "}));
}

TEST_F(InitCallback, ThatRefusesUndoesTheInit) {
  heard_.answer = 4711;
  ACL_OK(aclInitCallbackRegister(kType, hear_init, &heard_));
  ACL_OK(aclInitCallbackRegister(kType, hear_init_too, &heard_));
  ACL_OK(aclFinalizeCallbackRegister(kType, hear_finalize, &heard_));
  EXPECT_EQ(aclInit(nullptr), 4711);
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), 4711);
  EXPECT_EQ(heard_.calls, (Calls{"init "})) << "the second is not asked, and nothing is finalized";
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
  heard_.answer = ACL_SUCCESS;
  ACL_OK(aclInit(nullptr));
}

TEST_F(InitCallback, ThatRefusesLateIsNotRegistered) {
  ACL_OK(aclInit(nullptr));
  heard_.answer = 4711;
  EXPECT_EQ(aclInitCallbackRegister(kType, hear_init, &heard_), 4711);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclInitCallbackUnRegister(kType, hear_init));
}

TEST_F(InitCallback, OfFinalizeRunsBeforeAnythingIsTornDownTheNewestFirst) {
  ACL_OK(aclFinalizeCallbackRegister(kType, hear_finalize, &heard_));
  ACL_OK(aclFinalizeCallbackRegister(kType, hear_finalize_too, &heard_));
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclFinalizeReference(nullptr));
  EXPECT_TRUE(heard_.calls.empty()) << "one reference is left";
  ACL_OK(aclFinalizeReference(nullptr));
  EXPECT_EQ(heard_.calls, (Calls{"finalize too", "finalize while alive"}));
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
  EXPECT_EQ(heard_.calls.size(), 2u);
}

TEST_F(InitCallback, OfFinalizeCannotStopIt) {
  heard_.answer = 4711;
  ACL_OK(aclFinalizeCallbackRegister(kType, hear_finalize, &heard_));
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  EXPECT_EQ(aclFinalize(), 4711);
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
}

TEST_F(InitCallback, MayFinalizeFromInsideOfFinalize) {
  const auto again = [](void* heard) {
    static_cast<Heard*>(heard)->calls.emplace_back("again");
    return aclFinalize();
  };
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclFinalizeCallbackRegister(ACL_REG_TYPE_OTHER, again, &heard_));
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize()) << "the inner one was first";
  EXPECT_EQ(heard_.calls, (Calls{"again"}));
  ACL_OK(aclFinalizeCallbackUnRegister(ACL_REG_TYPE_OTHER, again));
}

TEST_F(InitCallback, IsRegisteredOncePerType) {
  ACL_OK(aclInitCallbackRegister(kType, hear_init, &heard_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclInitCallbackRegister(kType, hear_init, &heard_));
  ACL_OK(aclInitCallbackRegister(ACL_REG_TYPE_OTHER, hear_init, &heard_));
  ACL_OK(aclInit(nullptr));
  EXPECT_EQ(heard_.calls.size(), 2u);
  ACL_OK(aclInitCallbackUnRegister(ACL_REG_TYPE_OTHER, hear_init));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclInitCallbackUnRegister(ACL_REG_TYPE_OTHER, hear_init));
}

TEST_F(InitCallback, RefusesUnknownTypesAndNull) {
  const auto type = static_cast<aclRegisterCallbackType>(8);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclInitCallbackRegister(type, hear_init, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclFinalizeCallbackRegister(type, hear_finalize, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclInitCallbackRegister(kType, nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclInitCallbackUnRegister(kType, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclFinalizeCallbackRegister(kType, nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclFinalizeCallbackUnRegister(kType, nullptr));
}

TEST_F(InitCallback, IsDoneWhenAnotherThreadsInitReturns) {
  static std::atomic<bool> done;
  done = false;
  const auto slow = [](const char*, size_t, void* started) -> aclError {
    static_cast<std::atomic<bool>*>(started)->store(true);
    aclrtSetDevice(0);  // something that takes a while
    aclrtResetDevice(0);
    done = true;
    return ACL_SUCCESS;
  };
  std::atomic<bool> started{false};
  ACL_OK(aclInitCallbackRegister(ACL_REG_TYPE_OTHER, slow, &started));
  std::thread first([] { ACL_OK(aclInit(nullptr)); });
  while (!started) {
    std::this_thread::yield();
  }
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  EXPECT_TRUE(done);
  first.join();
  ACL_OK(aclInitCallbackUnRegister(ACL_REG_TYPE_OTHER, slow));
}

TEST(SystemParameter, OfTheProcessIsZeroUntilSet) {
  for (int opt = ACL_OPT_DETERMINISTIC; opt <= ACL_OPT_ENABLE_KERNEL_EARLY_START; ++opt) {
    const auto parameter = static_cast<aclSysParamOpt>(opt);
    int64_t value = -1;
    ACL_OK(aclrtGetSysParamOpt(parameter, &value));
    EXPECT_EQ(value, 0);
    ACL_OK(aclrtSetSysParamOpt(parameter, opt + 10));
    std::thread([&] { ACL_OK(aclrtGetSysParamOpt(parameter, &value)); }).join();
    EXPECT_EQ(value, opt + 10);
    ACL_OK(aclrtSetSysParamOpt(parameter, 0));
  }
  int64_t value = 7;
  for (int opt : {-1, 4, 1 << 20}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetSysParamOpt(static_cast<aclSysParamOpt>(opt), 1));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtGetSysParamOpt(static_cast<aclSysParamOpt>(opt), &value));
  }
  EXPECT_EQ(value, 7);
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetSysParamOpt(ACL_OPT_DETERMINISTIC, nullptr));
}

}  // namespace
}  // namespace canopy::test
