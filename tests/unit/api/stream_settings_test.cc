// What streams are made with and set to. (semantics: "Streams")
#include "tests/unit/api/gate.h"

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class StreamSettings : public AclTest {
 protected:
  aclrtStream make(uint32_t flags = 0) {
    aclrtStream stream = nullptr;
    EXPECT_EQ(aclrtCreateStreamWithConfig(&stream, 0, flags), ACL_SUCCESS) << why();
    return stream;
  }
  template <class Value>
  static aclError set(aclrtStreamConfigHandle* handle, aclrtStreamConfigAttr option, Value value) {
    return aclrtSetStreamConfigOpt(handle, option, &value, sizeof value);
  }
  static uint32_t available() {
    uint32_t count = 0;
    EXPECT_EQ(aclrtGetStreamAvailableNum(&count), ACL_SUCCESS) << why();
    return count;
  }
};

// ---- aclrtCreateStreamV2.

TEST_F(StreamSettings, AConfigHandleStartsWithDefaultsAndTakesEveryOption) {
  aclrtStreamConfigHandle* handle = aclrtCreateStreamConfigHandle();
  ASSERT_NE(handle, nullptr);
  aclrtStream stream = nullptr;
  uint32_t value = 99;
  ACL_OK(aclrtCreateStreamV2(&stream, handle));
  ACL_OK(aclrtStreamGetFlags(stream, &value));
  EXPECT_EQ(value, 0u);
  ACL_OK(aclrtStreamGetPriority(stream, &value));
  EXPECT_EQ(value, 0u);
  char work[64];
  ACL_OK(set(handle, ACL_RT_STREAM_FLAG, size_t{ACL_STREAM_FAST_LAUNCH}));
  ACL_OK(set(handle, ACL_RT_STREAM_FLAG, uint32_t{ACL_STREAM_FAST_SYNC}));
  ACL_OK(set(handle, ACL_RT_STREAM_PRIORITY, uint32_t{5}));
  ACL_OK(set(handle, ACL_RT_STREAM_WORK_ADDR_PTR, static_cast<void*>(work)));
  ACL_OK(set(handle, ACL_RT_STREAM_WORK_SIZE, sizeof work));
  EXPECT_EQ(handle->workptr, work);
  ACL_OK(aclrtCreateStreamV2(&stream, handle));
  ACL_OK(aclrtStreamGetFlags(stream, &value));
  EXPECT_EQ(value, ACL_STREAM_FAST_SYNC);
  ACL_OK(aclrtStreamGetPriority(stream, &value));
  EXPECT_EQ(value, 5u);
  ACL_OK(aclrtDestroyStreamConfigHandle(handle));
}

TEST_F(StreamSettings, AConfigHandleRefusesWhatIsNoOption) {
  aclrtStreamConfigHandle* handle = aclrtCreateStreamConfigHandle();
  ASSERT_NE(handle, nullptr);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           set(handle, static_cast<aclrtStreamConfigAttr>(4), uint32_t{0}));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, set(handle, ACL_RT_STREAM_PRIORITY, uint64_t{0}))
      << "8 bytes for 4";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, set(handle, ACL_RT_STREAM_WORK_SIZE, uint16_t{0}));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtSetStreamConfigOpt(handle, ACL_RT_STREAM_FLAG, nullptr, 8));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, set(nullptr, ACL_RT_STREAM_FLAG, size_t{0}));
  aclrtStream stream = nullptr;
  ACL_OK(set(handle, ACL_RT_STREAM_PRIORITY, uint32_t{8}));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamV2(&stream, handle));
  ACL_OK(set(handle, ACL_RT_STREAM_PRIORITY, uint32_t{7}));
  ACL_OK(set(handle, ACL_RT_STREAM_FLAG, size_t{1} << 40));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamV2(&stream, handle));
  ACL_OK(set(handle, ACL_RT_STREAM_FLAG, size_t{0}));
  ACL_OK(set(handle, ACL_RT_STREAM_WORK_SIZE, size_t{64}));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamV2(&stream, handle))
      << "a size without memory";
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtCreateStreamV2(&stream, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtCreateStreamV2(nullptr, handle));
  ACL_OK(aclrtDestroyStreamConfigHandle(handle));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDestroyStreamConfigHandle(nullptr));
}

// ---- Attributes.

TEST_F(StreamSettings, AttributesAreKeptPerStream) {
  aclrtStream stream = make();
  const struct {
    aclrtStreamAttr attribute;
    uint32_t start;
    uint32_t set;
  } rows[] = {{ACL_STREAM_ATTR_FAILURE_MODE, 0, 1},
              {ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK, 0, 1},
              {ACL_STREAM_ATTR_USER_CUSTOM_TAG, 0, 0xABCD},
              {ACL_STREAM_ATTR_CACHE_OP_INFO, 0, 1},
              {ACL_STREAM_ATTR_PRIORITY, 0, 6}};
  for (const auto& row : rows) {
    aclrtStreamAttrValue value = {};
    value.failureMode = ~0ull;
    ACL_OK(aclrtGetStreamAttribute(stream, row.attribute, &value));
    EXPECT_EQ(value.streamPriority, row.start) << row.attribute;
    value = {};
    value.failureMode = row.set;
    ACL_OK(aclrtSetStreamAttribute(stream, row.attribute, &value));
    value = {};
    ACL_OK(aclrtGetStreamAttribute(stream, row.attribute, &value));
    EXPECT_EQ(value.failureMode, row.set) << row.attribute;
    ACL_OK(aclrtGetStreamAttribute(nullptr, row.attribute, &value));
    EXPECT_EQ(value.streamPriority, row.start)
        << "the default stream has its own: " << row.attribute;
  }
  uint32_t priority = 0;
  ACL_OK(aclrtStreamGetPriority(stream, &priority));
  EXPECT_EQ(priority, 6u);
}

TEST_F(StreamSettings, AttributesRefuseWhatIsNoValue) {
  aclrtStream stream = make();
  for (auto [attribute, bad] : {std::pair{ACL_STREAM_ATTR_FAILURE_MODE, 2u},
                                {ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK, 2u},
                                {ACL_STREAM_ATTR_CACHE_OP_INFO, 2u},
                                {ACL_STREAM_ATTR_PRIORITY, 8u},
                                {static_cast<aclrtStreamAttr>(0), 0u},
                                {static_cast<aclrtStreamAttr>(6), 0u}}) {
    aclrtStreamAttrValue value = {};
    value.failureMode = bad;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamAttribute(stream, attribute, &value))
        << attribute;
  }
  aclrtStreamAttrValue value = {};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtGetStreamAttribute(stream, static_cast<aclrtStreamAttr>(6), &value));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtGetStreamAttribute(stream, ACL_STREAM_ATTR_PRIORITY, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtSetStreamAttribute(stream, ACL_STREAM_ATTR_PRIORITY, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtGetStreamAttribute(kInvented, ACL_STREAM_ATTR_PRIORITY, &value));
}

TEST_F(StreamSettings, TheOverflowSwitchIsTheAttribute) {
  aclrtStream stream = make();
  uint32_t flag = 99;
  ACL_OK(aclrtGetStreamOverflowSwitch(stream, &flag));
  EXPECT_EQ(flag, 0u);
  ACL_OK(aclrtSetStreamOverflowSwitch(stream, 1));
  ACL_OK(aclrtGetStreamOverflowSwitch(stream, &flag));
  EXPECT_EQ(flag, 1u);
  aclrtStreamAttrValue value = {};
  ACL_OK(aclrtGetStreamAttribute(stream, ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK, &value));
  EXPECT_EQ(value.overflowSwitch, 1u);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamOverflowSwitch(stream, 2));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetStreamOverflowSwitch(stream, nullptr));
}

// ---- Persistent streams, and those of models.

TEST_F(StreamSettings, APersistentStreamStoresItsTasks) {
  std::atomic<int> ran{0};
  aclrtStream stream = make(ACL_STREAM_PERSISTENT);
  for (int i = 0; i < 100; ++i) {
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  }
  ACL_OK(aclrtSynchronizeStream(stream)) << "returns at once";
  ACL_OK(aclrtSynchronizeStreamWithTimeout(stream, 10));
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), 0);
  ACL_OK(aclrtPersistentTaskClean(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  ACL_OK(aclrtDestroyStream(stream));
  EXPECT_EQ(ran.load(), 0);
}

TEST_F(StreamSettings, APersistentStreamThatIsFullIs507002) {
  std::atomic<int> ran{0};
  aclrtStream stream = make(ACL_STREAM_PERSISTENT);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2013; ++i) {
      ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
    }
    ACL_CODE(ACL_ERROR_RT_STREAM_TASK_FULL, aclrtLaunchHostFunc(stream, &add, &ran));
    ACL_OK(aclrtPersistentTaskClean(stream));
  }
  ACL_OK(aclrtDestroyStreamForce(stream));
  EXPECT_EQ(ran.load(), 0);
}

TEST_F(StreamSettings, StreamsForTheDeviceAreNotWaitedFor) {
  for (uint32_t flag : {ACL_STREAM_DEVICE_USE_ONLY, ACL_STREAM_CPU_SCHEDULE}) {
    aclrtStream stream = make(flag);
    Gate gate;
    ACL_OK(gate.close(stream));
    ACL_OK(aclrtSynchronizeStream(stream));
    gate.open();
    ACL_OK(aclrtDestroyStream(stream));
  }
}

TEST_F(StreamSettings, OnlyPersistentStreamsAreCleaned) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtPersistentTaskClean(make()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtPersistentTaskClean(nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtPersistentTaskClean(kInvented));
}

TEST_F(StreamSettings, ActiveAndSwitchAreForStreamsOfModels) {
  aclrtStream stream = make();
  aclrtStream other = make(ACL_STREAM_PERSISTENT);
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(other, stream));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtActiveStream(kInvented, stream));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtActiveStream(nullptr, stream));
  void* words = nullptr;
  ACL_OK(aclrtMalloc(&words, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  const auto call = [&](void* left, int condition, int type, aclrtStream on_true,
                        aclrtStream on_false) {
    return aclrtSwitchStream(left, static_cast<aclrtCondition>(condition), words,
                             static_cast<aclrtCompareDataType>(type), on_true, on_false, stream);
  };
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL,
           call(words, ACL_RT_EQUAL, ACL_RT_SWITCH_INT32, other, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, call(words, 6, ACL_RT_SWITCH_INT32, other, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, call(words, ACL_RT_EQUAL, 2, other, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           call(words, ACL_RT_EQUAL, ACL_RT_SWITCH_INT32, other, other));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           call(words, ACL_RT_EQUAL, ACL_RT_SWITCH_INT32, kInvented, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           call(nullptr, ACL_RT_EQUAL, ACL_RT_SWITCH_INT32, other, nullptr));
  ACL_OK(aclrtFree(words));
}

// ---- How many there are, and who hears of them.

TEST_F(StreamSettings, ADeviceTakes1984Streams) {
  EXPECT_EQ(available(), 1984u);
  std::vector<aclrtStream> streams;
  aclrtStream stream = nullptr;
  while (streams.size() < 1984) {
    streams.push_back(make());
  }
  EXPECT_EQ(available(), 0u);
  ACL_CODE(ACL_ERROR_RT_NO_STREAM_RESOURCE, aclrtCreateStream(&stream));
  ACL_OK(aclrtSetDevice(1));
  EXPECT_EQ(available(), 1984u) << "each device has its own";
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtDestroyStream(streams.back()));
  EXPECT_EQ(available(), 1u);
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtResetDeviceForce(0));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(available(), 1984u);
}

std::string g_log;

void note(aclrtStream stream, aclrtStreamState state, void* name) {
  int32_t id = -1;
  EXPECT_EQ(aclrtStreamGetId(stream, &id), ACL_SUCCESS) << why();  // it is alive in both
  g_log += static_cast<const char*>(name) +
           std::string(state == ACL_RT_STREAM_STATE_CREATE_POST ? "+" : "-");
}

TEST_F(StreamSettings, StateCallbacksHearOfEveryStreamDefaultOnesIncluded) {
  g_log.clear();
  char a[] = "a";
  char b[] = "b";
  ACL_OK(aclrtRegStreamStateCallback("a", &note, a));
  aclrtStream stream = make();
  ACL_OK(aclrtDestroyStream(stream));
  ACL_OK(aclrtDestroyStreamForce(make()));
  EXPECT_EQ(g_log, "a+a-a+a-");
  g_log.clear();
  ACL_OK(aclrtRegStreamStateCallback("b", &note, b));
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  make();
  ACL_OK(aclrtDestroyContext(context));
  EXPECT_EQ(g_log, "a+b+a+b+a-b-a-b-");
  ACL_OK(aclrtRegStreamStateCallback("a", nullptr, nullptr));
  g_log.clear();
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtResetDevice(1));
  EXPECT_EQ(g_log, "b+b-");
  ACL_OK(aclrtRegStreamStateCallback("b", nullptr, nullptr));
  ACL_OK(aclrtSetDevice(0));
}

TEST_F(StreamSettings, StateCallbacksHaveNamesOfTheirOwn) {
  ACL_OK(aclrtRegStreamStateCallback("a", &note, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRegStreamStateCallback("a", &note, nullptr));
  ACL_OK(aclrtRegStreamStateCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRegStreamStateCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtRegStreamStateCallback(nullptr, &note, nullptr));
}

// With a number, which is no std::exception, in the state `when`.
void throw_in_state(aclrtStream, aclrtStreamState state, void* when) {
  if (state == *static_cast<aclrtStreamState*>(when)) {
    throw 1;
  }
}

TEST_F(StreamSettings, AStateCallbackThatThrowsKeepsNothingFromItsEnd) {
  aclrtStreamState when = ACL_RT_STREAM_STATE_DESTROY_PRE;
  aclrtStream stream = make();
  aclrtStream forced = make();
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  make();
  ACL_OK(aclrtSetDevice(1));
  make();
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtRegStreamStateCallback("throws", throw_in_state, &when));
  const auto end = [](aclError code, const char* rest) {
    EXPECT_EQ(code, ACL_ERROR_RT_INTERNAL_ERROR) << why();
    EXPECT_EQ(why(), std::string("the stream state callback 'throws' has thrown what is no std::exception; ") + rest);
  };
  end(aclrtDestroyStream(stream), "the stream was destroyed all the same");
  end(aclrtDestroyStreamForce(forced), "the stream was destroyed all the same");
  end(aclrtDestroyContext(context), "the context was destroyed all the same");
  end(aclrtResetDevice(1), "the device was reset all the same");
  ACL_OK(aclrtRegStreamStateCallback("throws", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyStream(stream));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyStream(forced));
  EXPECT_NE(aclrtSetCurrentContext(context), ACL_SUCCESS);
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(1));
  EXPECT_EQ(available(), 1984u);
}

TEST_F(StreamSettings, AStateCallbackThatThrowsKeepsThingsFromBeingMade) {
  aclrtStreamState when = ACL_RT_STREAM_STATE_CREATE_POST;
  ACL_OK(aclrtRegStreamStateCallback("throws", throw_in_state, &when));
  const auto refused = [](aclError code, const char* rest) {
    EXPECT_EQ(code, ACL_ERROR_RT_INTERNAL_ERROR) << why();
    EXPECT_EQ(why(), std::string("the stream state callback 'throws' has thrown what is no std::exception; ") + rest);
  };
  aclrtStream stream = kInvented;
  refused(aclrtCreateStream(&stream), "no stream was created");
  aclrtContext context = kInvented;
  refused(aclrtCreateContext(&context, 1), "no context was created");
  refused(aclrtSetDevice(1), "the device was not set");
  ACL_OK(aclrtRegStreamStateCallback("throws", nullptr, nullptr));
  EXPECT_EQ(stream, kInvented);
  EXPECT_EQ(context, kInvented);
  int32_t device = -1;
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 0) << "as before";
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(1));
  EXPECT_EQ(available(), 1984u);
}

// Of two who destroy a stream or a context at a time, or of a callback that destroys what is being destroyed, one does it.
TEST_F(StreamSettings, AStreamIsDestroyedOnceAlsoByItsCallback) {
  static aclError inner;
  inner = ACL_SUCCESS;
  ACL_OK(aclrtRegStreamStateCallback("again", [](aclrtStream stream, aclrtStreamState state, void*) {
    if (state == ACL_RT_STREAM_STATE_DESTROY_PRE) {
      inner = aclrtDestroyStream(stream);
    }
  }, nullptr));
  for (const auto destroy : {&aclrtDestroyStream, &aclrtDestroyStreamForce}) {
    ACL_OK(destroy(make()));
    EXPECT_EQ(inner, ACL_ERROR_RT_INVALID_HANDLE);
  }
  ACL_OK(aclrtRegStreamStateCallback("again", nullptr, nullptr));
  EXPECT_EQ(available(), 1984u);
}

int successes_of_two(const std::function<aclError()>& destroy) {
  std::atomic<int> ready{0};
  std::atomic<int> successes{0};
  const auto run = [&] {
    ++ready;
    while (ready.load() < 2) {
      std::this_thread::yield();
    }
    const aclError code = destroy();
    successes += code == ACL_SUCCESS;
    EXPECT_TRUE(code == ACL_SUCCESS || code == ACL_ERROR_RT_INVALID_HANDLE) << code << why();
  };
  std::thread other(run);
  run();
  other.join();
  return successes.load();
}

TEST_F(StreamSettings, OfTwoWhoDestroyOneSucceeds) {
  aclrtContext current = nullptr;
  ACL_OK(aclrtGetCurrentContext(&current));
  ACL_OK(aclrtRegStreamStateCallback("slow", [](aclrtStream, aclrtStreamState, void*) { std::this_thread::yield(); }, nullptr));
  for (int round = 0; round < 200; ++round) {
    aclrtStream stream = make();
    EXPECT_EQ(successes_of_two([&] {
      EXPECT_EQ(aclrtSetCurrentContext(current), ACL_SUCCESS) << why();
      return round % 2 == 0 ? aclrtDestroyStream(stream) : aclrtDestroyStreamForce(stream);
    }), 1);
    aclrtContext context = nullptr;
    ACL_OK(aclrtCreateContext(&context, 0));
    make();
    EXPECT_EQ(successes_of_two([&] { return aclrtDestroyContext(context); }), 1);
    ACL_OK(aclrtSetCurrentContext(current));
  }
  ACL_OK(aclrtRegStreamStateCallback("slow", nullptr, nullptr));
  EXPECT_EQ(available(), 1984u);
}

}  // namespace
}  // namespace canopy::test
