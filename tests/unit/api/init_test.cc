// Init and finalize: counts, codes, the configuration file.
#include "tests/support/process_figures.h"
#include "tests/unit/api/gate.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Init : public testing::Test {
 protected:
  void TearDown() override {
    aclFinalize();
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }
  static aclError init_with(const std::string& json) { return aclInit(write_scratch("acl.json", json).c_str()); }
};

TEST_F(Init, TheSecondCallSays100002AndStillCounts) {
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  uint64_t left = 99;
  ACL_OK(aclFinalizeReference(&left));
  EXPECT_EQ(left, 2u);
  ACL_OK(aclFinalizeReference(nullptr));
  ACL_OK(aclFinalizeReference(&left));
  EXPECT_EQ(left, 0u);
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalizeReference(&left));
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
}

TEST_F(Init, FinalizeZeroesTheCountWhateverItWas) {
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  ACL_OK(aclFinalize());
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
  ACL_OK(aclInit(nullptr));
}

TEST_F(Init, ReferencesAboveZeroKeepTheRuntimeAlive) {
  ACL_OK(aclInit(nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclFinalizeReference(nullptr));
  int32_t device = -1;
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 0);
}

TEST_F(Init, TakesAnEmptyObjectAndKnownAndUnknownKeys) {
  for (const char* json : {"{}", " { } ", R"({"dump": {"dump_path": "x", "dump_list": []}, "profiler": {}})",
                           R"({"max_opqueue_num": "20000", "err_msg_mode": "1", "something": [1, 2, {"a": null}]})"}) {
    ACL_OK(init_with(json)) << json;
    ACL_OK(aclFinalize());
  }
}

TEST_F(Init, ADefaultDeviceIsSetByTheFirstCallThatNeedsOne) {
  ACL_OK(init_with(R"({"defaultDevice": {"default_device": "1"}})"));
  std::thread([] {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
    int32_t device = -1;
    ACL_OK(aclrtGetDevice(&device));
    EXPECT_EQ(device, 1);
    ACL_OK(aclrtFree(memory));
  }).join();
}

TEST_F(Init, ADefaultDeviceThatIsNotThereIsFoundAtFirstUse) {
  ACL_OK(init_with(R"({"defaultDevice": {"default_device": "7"}})"));
  std::thread([] {
    int32_t device = -1;
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetDevice(&device));
  }).join();
}

TEST_F(Init, FinalizeForgetsTheDefaultDevice) {
  ACL_OK(init_with(R"({"defaultDevice": {"default_device": "0"}})"));
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  std::thread([] {
    int32_t device = -1;
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&device));
  }).join();
}

TEST_F(Init, RefusesWhatIsNoJsonObject) {
  for (const char* json : {"", "{", "}", "[]", "3", "null", "{\"a\": }", "{} {}", "{\"a\" 1}", "\xff\xfe",
                           R"({"defaultDevice": {"default_device": 1}})", R"({"defaultDevice": {"default_device": "x"}})",
                           R"({"defaultDevice": {"default_device": "-1"}})", R"({"defaultDevice": 3})", R"({"dump": []})",
                           R"({"profiler": "on"})",
                           R"({"defaultDevice": {"default_device": "99999999999999999999"}})"}) {
    ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(json)) << json;
    ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize()) << "a failed init must not count: " << json;
  }
}

TEST_F(Init, AFileThatCannotBeReadIs100000) {
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclInit("/tmp")) << "a folder";
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclInit("/does/not/exist.json"));
  const std::string text = "aclInit: cannot open the configuration file '/does/not/exist.json'";
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclInit("/does/not/exist.json"));
  EXPECT_EQ(std::string(why()).substr(0, text.size()), text);
}

TEST_F(Init, NestingIsLimitedToTen) {
  const auto nested = [](int depth, char open, char close) {
    const std::string inner = std::string(static_cast<size_t>(depth), open) + std::string(static_cast<size_t>(depth), close);
    return open == '[' ? "{\"a\":" + inner + "}" : inner;
  };
  const auto objects = [](int depth) {
    std::string text = "{}";
    for (int i = 1; i < depth; ++i) {
      text = "{\"a\":" + text + "}";
    }
    return text;
  };
  ACL_OK(init_with(objects(10)));
  ACL_OK(aclFinalize());
  ACL_OK(init_with(nested(10, '[', ']')));
  ACL_OK(aclFinalize());
  ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(objects(11)));
  ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(nested(11, '[', ']')));
  ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(std::string(1'000'000, '[')));
  ACL_CODE(ACL_ERROR_PARSE_FILE, init_with("{\"a\":" + std::string(1'000'000, '[')));
}

TEST_F(Init, BracketsInsideOfTextAreNoNesting) {
  ACL_OK(init_with(R"({"a": "[[[[[[[[[[[[[[[[[[{{{{{{{{{{{{{{{{{\"[[[[[[[[[[[["})"));
}

TEST_F(Init, TakesAHugeFile) {
  ACL_OK(init_with("{\"a\": \"" + std::string(8 << 20, 'x') + "\"}"));
}

TEST_F(Init, TheContentMustNotChangeBetweenInits) {
  ACL_OK(init_with(R"({"a": 1})"));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, init_with(R"({"a": 1})"));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, init_with(R"({"a": 2})"));
  ACL_CODE(ACL_ERROR_REPEAT_INITIALIZE, aclInit(nullptr));
  uint64_t left = 0;
  ACL_OK(aclFinalizeReference(&left));
  EXPECT_EQ(left, 2u) << "a refused init must not count";
}

TEST_F(Init, ThreadsThatRaceGetOneSuccess) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> success{0};
    std::atomic<int> repeat{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const aclError code = aclInit(nullptr);
        (code == ACL_SUCCESS ? success : repeat).fetch_add(1);
        EXPECT_TRUE(code == ACL_SUCCESS || code == ACL_ERROR_REPEAT_INITIALIZE) << code;
        EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
      });
    }
    threads.clear();
    EXPECT_EQ(success.load(), 1);
    EXPECT_EQ(repeat.load(), 3);
    ACL_OK(aclFinalize());
  }
}

TEST_F(Init, CallsWorkWithoutIt) {
  ACL_OK(aclrtSetDevice(0));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtDestroyStream(stream));
  ACL_OK(aclrtResetDevice(0));
}

TEST_F(Init, FinalizeWaitsForQueuedWork) {
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  std::atomic<int> ran{0};
  for (int i = 0; i < 500; ++i) {
    ACL_OK(aclrtLaunchHostFunc(nullptr, [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }, &ran));
  }
  ACL_OK(aclFinalize());
  EXPECT_EQ(ran.load(), 500);
}

TEST_F(Init, AThousandRoundsLeaveNoDescriptorNoMappingAndNoMemory) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int kRounds = 200;
#else
  constexpr int kRounds = 1000;
#endif
  size_t files = 0;
  size_t maps = 0;
  size_t memory = 0;
  for (int round = 0; round < kRounds + 10; ++round) {
    if (round == 10) {
      files = open_files();
      maps = mapped_ranges();
      memory = memory_kib();
    }
    ACL_OK(aclInit(nullptr));
    for (int device = 0; device < 2; ++device) {
      ACL_OK(aclrtSetDevice(device));
      aclrtStream stream = nullptr;
      aclrtEvent event = nullptr;
      void* small = nullptr;
      void* large = nullptr;
      ACL_OK(aclrtCreateStream(&stream));
      ACL_OK(aclrtCreateEvent(&event));
      ACL_OK(aclrtMalloc(&small, 100, ACL_MEM_MALLOC_HUGE_FIRST));
      ACL_OK(aclrtMalloc(&large, 5 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
      ACL_OK(aclrtMemsetAsync(large, 5 << 20, 1, 4096, stream));
      ACL_OK(aclrtRecordEvent(event, stream));
      // Nothing is given back: finalize has to.
    }
    ACL_OK(aclFinalize());
  }
  EXPECT_LE(open_files(), files);
  EXPECT_LE(mapped_ranges(), maps + 8);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LE(memory_kib(), memory + 2'048);
#endif
}

}  // namespace
}  // namespace canopy::test
