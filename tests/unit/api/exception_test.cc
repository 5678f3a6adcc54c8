// What the program is told about tasks that fail.
#include "tests/unit/api/faults.h"

#include <unistd.h>

#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

struct Told {
  uint32_t task, stream, thread, device, code;
  FaultArgs args;
  uint32_t args_bytes;
  aclrtFuncHandle function;
  int by;
};

struct {
  std::mutex mutex;
  std::vector<Told> list;
} g_told;

void note(const aclrtExceptionInfo* info, int by) {
  Told told{aclrtGetTaskIdFromExceptionInfo(info),
            aclrtGetStreamIdFromExceptionInfo(info),
            aclrtGetThreadIdFromExceptionInfo(info),
            aclrtGetDeviceIdFromExceptionInfo(info),
            aclrtGetErrorCodeFromExceptionInfo(info),
            {},
            0,
            nullptr,
            by};
  void* args = nullptr;
  if (aclrtGetArgsFromExceptionInfo(info, &args, &told.args_bytes) == ACL_SUCCESS && told.args_bytes == sizeof told.args) {
    std::memcpy(&told.args, args, sizeof told.args);
  }
  aclrtGetFuncHandleFromExceptionInfo(info, &told.function);
  std::lock_guard lock(g_told.mutex);
  g_told.list.push_back(told);
}
void first(aclrtExceptionInfo* info) { note(info, 1); }
void second(aclrtExceptionInfo* info) { note(info, 2); }
void of_binary(aclrtExceptionInfo* info, void* data) { note(info, *static_cast<int*>(data)); }
void use_a_stream(aclrtExceptionInfo* info) {
  note(info, 3);
  aclrtStream stream = nullptr;
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtDestroyStream(stream));
}

class ExceptionInfoTest : public Faults {
 protected:
  std::vector<Told> told() {
    std::lock_guard lock(g_told.mutex);
    return std::exchange(g_told.list, {});
  }
  std::vector<Told> after_fault() {
    EXPECT_EQ(launch(Wrong::write_null), ACL_SUCCESS);
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
    return told();
  }
};

TEST_F(ExceptionInfoTest, NamesTaskStreamThreadDeviceCodeArgumentsAndFunction) {
  ACL_OK(aclrtExceptionInfoCallbackRegister(&first));
  int32_t stream = -1;
  ACL_OK(aclrtStreamGetId(stream_, &stream));
  expect_launches_work(3);
  uint32_t thread = 0;
  std::thread([&] {
    thread = static_cast<uint32_t>(::gettid());
    ACL_OK(aclrtSetDevice(0));
    ACL_OK(launch({.wrong = Wrong::write_null, .block = 1}, 2, stream_));
  }).join();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  const auto list = told();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].task, 3u);
  EXPECT_EQ(list[0].stream, static_cast<uint32_t>(stream));
  EXPECT_EQ(list[0].thread, thread);
  EXPECT_EQ(list[0].device, 0u);
  EXPECT_EQ(list[0].code, static_cast<uint32_t>(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION));
  EXPECT_EQ(list[0].args.word, &word_);
  EXPECT_EQ(list[0].args.wrong, Wrong::write_null);
  EXPECT_EQ(list[0].function, function());
}

TEST_F(ExceptionInfoTest, ComesOncePerTaskHoweverManyBlocksFail) {
  ACL_OK(aclrtExceptionInfoCallbackRegister(&first));
  for (int i = 0; i < 10; ++i) {
    ACL_OK(launch({.wrong = Wrong::write_null, .others = Wrong::write_null}, 8, stream_));
  }
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  const auto list = told();
  ASSERT_EQ(list.size(), 10u);
  for (uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(list[i].task, i);
  }
}

TEST_F(ExceptionInfoTest, BothTheSinglePlaceAndTheRegistryAreCalledAndDuplicatesOnce) {
  ACL_OK(aclrtSetExceptionInfoCallback(&second));
  ACL_OK(aclrtExceptionInfoCallbackRegister(&first));
  ACL_OK(aclrtExceptionInfoCallbackRegister(&first));
  auto list = after_fault();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].by + list[1].by, 3);
  ACL_OK(aclrtSetExceptionInfoCallback(nullptr));
  list = after_fault();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].by, 1);
  ACL_OK(aclrtExceptionInfoCallbackUnregister(&first));
  EXPECT_TRUE(after_fault().empty());
}

TEST_F(ExceptionInfoTest, UnregisteringWhatIsNotThereIs107000) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtExceptionInfoCallbackUnregister(&first));
}

TEST_F(ExceptionInfoTest, OfABinaryComesForItsKernelsAndTheLastOneSetHolds) {
  aclrtBinHandle other = nullptr;
  ACL_OK(aclrtBinaryLoadFromFile(TEST_FAULTY_KERNELS, nullptr, &other));
  int four = 4;
  int five = 5;
  ACL_OK(aclrtBinarySetExceptionCallback(binary_, &of_binary, &four));
  ACL_OK(aclrtBinarySetExceptionCallback(binary_, &of_binary, &five));
  ACL_OK(aclrtBinarySetExceptionCallback(other, &of_binary, &four));
  const auto list = after_fault();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].by, 5);
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinarySetExceptionCallback(kInvented, &of_binary, &four));
}

TEST_F(ExceptionInfoTest, OfABinaryComesBeforeItIsUnloaded) {
  int four = 4;
  ACL_OK(aclrtBinarySetExceptionCallback(binary_, &of_binary, &four));
  ACL_OK(launch({.wrong = Wrong::write_null}, 1, stream_));
  ACL_OK(aclrtBinaryUnLoad(binary_));
  EXPECT_EQ(told().size(), 1u);
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
}

TEST_F(ExceptionInfoTest, CallbacksMayCallTheRuntime) {
  ACL_OK(aclrtExceptionInfoCallbackRegister(&use_a_stream));
  EXPECT_EQ(after_fault().size(), 1u);
}

// While the thread that learns of the failure waits for it.
TEST_F(ExceptionInfoTest, ACallbackMayEndTheStreamThatIsSynchronised) {
  static aclrtStream stream;
  static aclrtContext context;
  static std::atomic<aclError> code;
  ACL_OK(aclrtGetCurrentContext(&context));
  ACL_OK(aclrtExceptionInfoCallbackRegister([](aclrtExceptionInfo*) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // likely behind the other thread's look-up; else that finds it gone
    aclrtSetCurrentContext(context);
    code = aclrtDestroyStream(stream);
  }));
  for (const bool of_device : {false, true}) {
    code = ACL_ERROR_UNINITIALIZE;
    ACL_OK(aclrtCreateStream(&stream));
    ACL_OK(launch({.wrong = Wrong::write_null}, 1, stream));
    const aclError found = of_device ? aclrtSynchronizeDevice() : aclrtSynchronizeStream(stream);
    if (found == ACL_ERROR_RT_VECTOR_CORE_EXCEPTION) {
      EXPECT_EQ(code.load(), ACL_SUCCESS) << "its callbacks have been called";
    } else {
      EXPECT_EQ(found, of_device ? ACL_SUCCESS : ACL_ERROR_RT_INVALID_HANDLE) << why();
    }
    while (code.load() == ACL_ERROR_UNINITIALIZE) {
      std::this_thread::yield();
    }
    EXPECT_EQ(code.load(), ACL_SUCCESS);
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(stream));
  }
}

TEST_F(ExceptionInfoTest, ACallbackMayResetTheDeviceThatIsSynchronised) {
  static std::atomic<aclError> code;
  code = ACL_ERROR_UNINITIALIZE;
  ACL_OK(aclrtExceptionInfoCallbackRegister([](aclrtExceptionInfo*) {
    aclrtSetDevice(0);
    code = aclrtResetDeviceForce(0);
  }));
  ACL_OK(launch(Wrong::write_null));
  if (aclrtSynchronizeDevice() == ACL_ERROR_RT_VECTOR_CORE_EXCEPTION) {  // else the reset was there first
    EXPECT_EQ(code.load(), ACL_SUCCESS) << "its callbacks have been called";
  }
  while (code.load() == ACL_ERROR_UNINITIALIZE) {
    std::this_thread::yield();
  }
  EXPECT_EQ(code.load(), ACL_SUCCESS);
}

TEST_F(ExceptionInfoTest, OfATaskThatIsNoKernelHasNoArguments) {
  ACL_OK(aclrtExceptionInfoCallbackRegister(&first));
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateNotify(&notify, 0));
  ACL_OK(aclrtWaitAndResetNotify(notify, stream_, 1));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_TASK_TIMEOUT);
  const auto list = told();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].code, static_cast<uint32_t>(ACL_ERROR_RT_TASK_TIMEOUT));
  EXPECT_EQ(list[0].args_bytes, 0u);
  EXPECT_EQ(list[0].function, nullptr);
  ACL_OK(aclrtDestroyNotify(notify));
}

TEST_F(ExceptionInfoTest, WithoutAnInfoNumbersAreAllOnes) {
  EXPECT_EQ(aclrtGetTaskIdFromExceptionInfo(nullptr), 0xFFFFFFFFu);
  EXPECT_EQ(aclrtGetStreamIdFromExceptionInfo(nullptr), 0xFFFFFFFFu);
  EXPECT_EQ(aclrtGetThreadIdFromExceptionInfo(nullptr), 0xFFFFFFFFu);
  EXPECT_EQ(aclrtGetDeviceIdFromExceptionInfo(nullptr), 0xFFFFFFFFu);
  EXPECT_EQ(aclrtGetErrorCodeFromExceptionInfo(nullptr), 0xFFFFFFFFu);
}

// ---- Faults of devices, which simulated ones do not have.

TEST_F(ExceptionInfoTest, ADeviceHasNoFaultsOfItsOwn) {
  aclrtErrorInfo error;
  std::memset(&error, 0xFF, sizeof error);
  ACL_OK(aclrtGetErrorVerbose(0, &error));
  EXPECT_EQ(error.errorType, ACL_RT_NO_ERROR);
  EXPECT_EQ(error.tryRepair, 0);
  EXPECT_EQ(error.hasDetail, 0);
  ACL_OK(aclrtRepairError(0, &error));
  error.errorType = ACL_RT_ERROR_MEMORY;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRepairError(0, &error));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetErrorVerbose(77, &error));
  aclrtMemUceInfo uce[2] = {};
  size_t count = 77;
  ACL_OK(aclrtGetMemUceInfo(0, uce, 2, &count));
  EXPECT_EQ(count, 0u);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetMemUceInfo(0, uce, 129, &count));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemUceRepair(0, uce, 1));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtMemUceRepair(77, uce, 1));
}

}  // namespace
}  // namespace canopy::test
