// Every function that takes a stream, with streams that it must refuse: dead ones, invented ones,
// and those of another context. (semantics: "Devices", dead handles; "Contexts", a stream under
// another one)
#include "canopy/kernel.h"
#include "canopy/symbol.h"
#include "tests/unit/api/gate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

__global__ __aicore__ void nothing() {}
CANOPY_KERNEL(nothing)

uint64_t symbol = 0;
CANOPY_SYMBOL(symbol)

}  // namespace

namespace canopy::test {
namespace {

struct Function {
  const char* name;
  std::function<aclError(aclrtStream)> call;
};

class StreamHandle : public AclTest {
 protected:
  static constexpr size_t kBytes = 4096;
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtMalloc(&memory_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMallocHost(&host_, kBytes));
    ACL_OK(aclrtCreateEventWithFlag(&event_, ACL_EVENT_SYNC));
    ACL_OK(aclrtCreateEventExWithFlag(&recorded_, ACL_EVENT_SYNC));
    ACL_OK(aclrtRecordEvent(recorded_, nullptr));
    ACL_OK(aclrtRecordEvent(event_, nullptr));
    ACL_OK(aclrtCreateNotify(&notify_, 0));
    ACL_OK(aclrtCntNotifyCreate(&counter_, 0));
    ACL_OK(aclrtMemAllocManaged(&managed_, 2 << 20, 1));
    aclrtMemPoolProps props{};
    props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    ACL_OK(aclrtMemPoolCreate(&pool_, &props));
    ACL_OK(aclrtMemPoolMallocAsync(&block_, 64, pool_, nullptr));
    ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&nothing), &function_));
    ACL_OK(aclrtKernelArgsInit(function_, &args_));
    ACL_OK(aclrtKernelArgsFinalize(args_));
    ACL_OK(aclrtSynchronizeStream(nullptr));
  }
  void TearDown() override {
    ACL_OK(aclrtFreeHost(host_));
    ACL_OK(aclrtFree(managed_));
    AclTest::TearDown();
  }
  std::vector<Function> of_streams();
  std::vector<Function> of_waits();
  std::vector<Function> of_memory();
  std::vector<Function> of_kernels();
  void refuse(aclrtStream stream, aclError code) {
    for (const auto& group : {of_streams(), of_waits(), of_memory(), of_kernels()}) {
      for (const Function& function : group) {
        EXPECT_EQ(function.call(stream), code) << function.name << ": " << why();
        EXPECT_NE(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS) << function.name;
      }
    }
  }

  void* memory_ = nullptr;
  void* host_ = nullptr;
  void* managed_ = nullptr;
  void* block_ = nullptr;
  aclrtEvent event_ = nullptr;
  aclrtEvent recorded_ = nullptr;
  aclrtNotify notify_ = nullptr;
  aclrtCntNotify counter_ = nullptr;
  aclrtMemPool pool_ = nullptr;
  aclrtFuncHandle function_ = nullptr;
  aclrtArgsHandle args_ = nullptr;
};

std::vector<Function> StreamHandle::of_streams() {
  return {
      {"aclrtDestroyStream", aclrtDestroyStream},
      {"aclrtDestroyStreamForce", aclrtDestroyStreamForce},
      {"aclrtSynchronizeStream", aclrtSynchronizeStream},
      {"aclrtSynchronizeStreamWithTimeout",
       [](aclrtStream s) { return aclrtSynchronizeStreamWithTimeout(s, 1); }},
      {"aclrtStreamQuery",
       [](aclrtStream s) {
         aclrtStreamStatus status;
         return aclrtStreamQuery(s, &status);
       }},
      {"aclrtStreamGetId",
       [](aclrtStream s) {
         int32_t id;
         return aclrtStreamGetId(s, &id);
       }},
      {"aclrtStreamGetPriority",
       [](aclrtStream s) {
         uint32_t priority;
         return aclrtStreamGetPriority(s, &priority);
       }},
      {"aclrtStreamGetFlags",
       [](aclrtStream s) {
         uint32_t flags;
         return aclrtStreamGetFlags(s, &flags);
       }},
      {"aclrtSetStreamFailureMode",
       [](aclrtStream s) { return aclrtSetStreamFailureMode(s, ACL_CONTINUE_ON_FAILURE); }},
      {"aclrtSetStreamAttribute",
       [](aclrtStream s) {
         aclrtStreamAttrValue value{};
         return aclrtSetStreamAttribute(s, ACL_STREAM_ATTR_PRIORITY, &value);
       }},
      {"aclrtGetStreamAttribute",
       [](aclrtStream s) {
         aclrtStreamAttrValue value{};
         return aclrtGetStreamAttribute(s, ACL_STREAM_ATTR_PRIORITY, &value);
       }},
      {"aclrtSetStreamOverflowSwitch",
       [](aclrtStream s) { return aclrtSetStreamOverflowSwitch(s, 0); }},
      {"aclrtGetStreamOverflowSwitch",
       [](aclrtStream s) {
         uint32_t on;
         return aclrtGetStreamOverflowSwitch(s, &on);
       }},
      {"aclrtStreamAbort", aclrtStreamAbort},
      {"aclrtStreamStop", aclrtStreamStop},
      {"aclrtPersistentTaskClean", aclrtPersistentTaskClean},
      {"aclrtGetStreamResLimit",
       [](aclrtStream s) {
         uint32_t limit;
         return aclrtGetStreamResLimit(s, ACL_RT_DEV_RES_CUBE_CORE, &limit);
       }},
      {"aclrtSetStreamResLimit",
       [](aclrtStream s) { return aclrtSetStreamResLimit(s, ACL_RT_DEV_RES_CUBE_CORE, 1); }},
      {"aclrtResetStreamResLimit", aclrtResetStreamResLimit},
      {"aclrtUseStreamResInCurrentThread", aclrtUseStreamResInCurrentThread},
  };
}

std::vector<Function> StreamHandle::of_waits() {
  return {
      {"aclrtRecordEvent", [this](aclrtStream s) { return aclrtRecordEvent(event_, s); }},
      {"aclrtRecordEventWithFlag",
       [this](aclrtStream s) {
         return aclrtRecordEventWithFlag(recorded_, s, ACL_EVENT_RECORD_DEFAULT);
       }},
      {"aclrtResetEvent", [this](aclrtStream s) { return aclrtResetEvent(event_, s); }},
      {"aclrtStreamWaitEvent", [this](aclrtStream s) { return aclrtStreamWaitEvent(s, event_); }},
      {"aclrtStreamWaitEventWithTimeout",
       [this](aclrtStream s) { return aclrtStreamWaitEventWithTimeout(s, event_, 1); }},
      {"aclrtStreamWaitEventWithFlag",
       [this](aclrtStream s) {
         return aclrtStreamWaitEventWithFlag(s, recorded_, 0, ACL_EVENT_WAIT_DEFAULT);
       }},
      {"aclrtRecordNotify", [this](aclrtStream s) { return aclrtRecordNotify(notify_, s); }},
      {"aclrtWaitAndResetNotify",
       [this](aclrtStream s) { return aclrtWaitAndResetNotify(notify_, s, 1); }},
      {"aclrtCntNotifyRecord",
       [this](aclrtStream s) {
         aclrtCntNotifyRecordInfo info{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
         return aclrtCntNotifyRecord(counter_, s, &info);
       }},
      {"aclrtCntNotifyWaitWithTimeout",
       [this](aclrtStream s) {
         aclrtCntNotifyWaitInfo info{ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 0, 1, 0, {}};
         return aclrtCntNotifyWaitWithTimeout(counter_, s, &info);
       }},
      {"aclrtCntNotifyReset", [this](aclrtStream s) { return aclrtCntNotifyReset(counter_, s); }},
      {"aclrtValueWrite", [this](aclrtStream s) { return aclrtValueWrite(memory_, 1, 0, s); }},
      {"aclrtValueWait",
       [this](aclrtStream s) { return aclrtValueWait(memory_, 0, ACL_STREAM_WAIT_VALUE_EQ, s); }},
      {"aclrtLaunchHostFunc",
       [](aclrtStream s) {
         return aclrtLaunchHostFunc(
             s, [](void*) {}, nullptr);
       }},
      {"aclrtLaunchCallback",
       [](aclrtStream s) {
         return aclrtLaunchCallback([](void*) {}, nullptr, ACL_CALLBACK_BLOCK, s);
       }},
      {"aclrtSubscribeReport", [](aclrtStream s) { return aclrtSubscribeReport(1, s); }},
      {"aclrtUnSubscribeReport", [](aclrtStream s) { return aclrtUnSubscribeReport(1, s); }},
      {"aclrtSubscribeHostFunc", [](aclrtStream s) { return aclrtSubscribeHostFunc(1, s); }},
      {"aclrtUnSubscribeHostFunc", [](aclrtStream s) { return aclrtUnSubscribeHostFunc(1, s); }},
  };
}

std::vector<Function> StreamHandle::of_memory() {
  return {
      {"aclrtMemcpyAsync",
       [this](aclrtStream s) {
         return aclrtMemcpyAsync(memory_, 8, host_, 8, ACL_MEMCPY_HOST_TO_DEVICE, s);
       }},
      {"aclrtMemcpyAsync of nothing",
       [this](aclrtStream s) {
         return aclrtMemcpyAsync(memory_, 8, host_, 0, ACL_MEMCPY_HOST_TO_DEVICE, s);
       }},
      {"aclrtMemcpyAsyncWithCondition",
       [this](aclrtStream s) {
         return aclrtMemcpyAsyncWithCondition(memory_, 8, host_, 8, ACL_MEMCPY_HOST_TO_DEVICE, s);
       }},
      {"aclrtMemcpy2dAsync",
       [this](aclrtStream s) {
         return aclrtMemcpy2dAsync(memory_, 8, host_, 8, 8, 2, ACL_MEMCPY_HOST_TO_DEVICE, s);
       }},
      {"aclrtMemsetAsync", [this](aclrtStream s) { return aclrtMemsetAsync(memory_, 8, 0, 8, s); }},
      {"aclrtMemsetD32Async",
       [this](aclrtStream s) { return aclrtMemsetD32Async(memory_, 8, 0, 2, s); }},
      {"aclrtReduceAsync",
       [this](aclrtStream s) {
         return aclrtReduceAsync(memory_, static_cast<char*>(memory_) + 64, 8,
                                 ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_INT32, s, nullptr);
       }},
      {"aclrtMemPoolMallocAsync",
       [this](aclrtStream s) {
         void* block;
         return aclrtMemPoolMallocAsync(&block, 64, pool_, s);
       }},
      {"aclrtMemPoolFreeAsync", [this](aclrtStream s) { return aclrtMemPoolFreeAsync(block_, s); }},
      {"aclrtMemManagedPrefetchAsync",
       [this](aclrtStream s) {
         return aclrtMemManagedPrefetchAsync(managed_, 2 << 20, {ACL_MEM_LOCATIONTYPE_DEVICE, 0}, 0,
                                             s);
       }},
      {"aclrtMemcpyToSymbolAsync",
       [this](aclrtStream s) {
         return aclrtMemcpyToSymbolAsync(&symbol, host_, 8, 0, ACL_MEMCPY_HOST_TO_DEVICE, s);
       }},
      {"aclrtMemcpyFromSymbolAsync",
       [this](aclrtStream s) {
         return aclrtMemcpyFromSymbolAsync(host_, 8, &symbol, 8, 0, ACL_MEMCPY_DEVICE_TO_HOST, s);
       }},
      {"aclrtCmoAsync",
       [this](aclrtStream s) { return aclrtCmoAsync(memory_, 8, ACL_RT_CMO_TYPE_PREFETCH, s); }},
      {"aclrtAllocatorUnregister", aclrtAllocatorUnregister},
      {"aclrtGetOverflowStatus",
       [this](aclrtStream s) { return aclrtGetOverflowStatus(memory_, 64, s); }},
      {"aclrtResetOverflowStatus", aclrtResetOverflowStatus},
      {"aclrtGetFloatOverflowStatus",
       [this](aclrtStream s) { return aclrtGetFloatOverflowStatus(memory_, 64, s); }},
      {"aclrtResetFloatOverflowStatus", aclrtResetFloatOverflowStatus},
      {"aclrtNpuGetFloatOverFlowStatus",
       [this](aclrtStream s) { return aclrtNpuGetFloatOverFlowStatus(memory_, 64, 0, s); }},
      {"aclrtNpuClearFloatOverFlowStatus",
       [](aclrtStream s) { return aclrtNpuClearFloatOverFlowStatus(0, s); }},
  };
}

std::vector<Function> StreamHandle::of_kernels() {
  return {
      {"aclrtLaunchKernel",
       [this](aclrtStream s) { return aclrtLaunchKernel(function_, 1, nullptr, 0, s); }},
      {"aclrtLaunchKernelV2",
       [this](aclrtStream s) { return aclrtLaunchKernelV2(function_, 1, nullptr, 0, nullptr, s); }},
      {"aclrtLaunchKernelWithConfig",
       [this](aclrtStream s) {
         return aclrtLaunchKernelWithConfig(function_, 1, s, nullptr, args_, nullptr);
       }},
      {"aclrtLaunchKernelWithHostArgs",
       [this](aclrtStream s) {
         return aclrtLaunchKernelWithHostArgs(function_, 1, s, nullptr, nullptr, 0, nullptr, 0);
       }},
      {"aclrtLaunchKernelWithArgsArray",
       [this](aclrtStream s) {
         void* none[1] = {};
         return aclrtLaunchKernelWithArgsArray(function_, 1, s, nullptr, none);
       }},
  };
}

TEST_F(StreamHandle, ThatIsDeadIs107017InEveryFunction) {
  aclrtStream dead = nullptr;
  ACL_OK(aclrtCreateStream(&dead));
  ACL_OK(aclrtDestroyStream(dead));
  refuse(dead, ACL_ERROR_RT_INVALID_HANDLE);
}

TEST_F(StreamHandle, ThatWasInventedIs107017InEveryFunction) {
  refuse(kInvented, ACL_ERROR_RT_INVALID_HANDLE);
}

TEST_F(StreamHandle, OfAnotherContextIs107003InEveryFunction) {
  aclrtStream foreign = nullptr;
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateStream(&foreign));
  ACL_OK(aclrtCreateContext(&context, 0));
  refuse(foreign, ACL_ERROR_RT_STREAM_CONTEXT);
}

TEST_F(StreamHandle, OfAnotherDeviceIs107003InEveryFunction) {
  aclrtStream foreign = nullptr;
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtCreateStream(&foreign));
  ACL_OK(aclrtSetDevice(0));
  refuse(foreign, ACL_ERROR_RT_STREAM_CONTEXT);
}

// Whether the thread sleeps, in a wait.
bool sleeps(pid_t thread) {
  std::ifstream file(fmt::format("/proc/self/task/{}/stat", thread));
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

// What a call has found stays until it returns; the next one finds it no more.
TEST(DeviceThatIsReset, UnderThreadsThatMakeThings) {
  using Round = std::function<void()>;
  const Round rounds[] = {
      [] {
        aclrtStream stream = nullptr;
        if (aclrtCreateStream(&stream) == ACL_SUCCESS) {
          aclrtDestroyStream(stream);
        }
      },
      [left = std::make_shared<int>(0)] {  // the reset's to destroy: not too many
        aclrtStream stream = nullptr;
        if (++*left % 64 == 0) {
          aclrtCreateStream(&stream);
        }
      },
      [] {
        aclrtEvent event = nullptr;
        if (aclrtCreateEventExWithFlag(&event, ACL_EVENT_IPC) == ACL_SUCCESS) {
          aclrtDestroyEvent(event);
        }
      },
      [] {
        aclrtEvent event = nullptr;
        aclrtEventRecordedStatus status{};
        if (aclrtCreateEvent(&event) == ACL_SUCCESS) {
          aclrtQueryEventStatus(event, &status);  // no record: who queues on a stream that ends is mistaken
          aclrtDestroyEvent(event);
        }
      },
      [] {
        aclrtNotify notify = nullptr;
        char key[65] = {};
        if (aclrtCreateNotify(&notify, 0) == ACL_SUCCESS) {
          aclrtNotifyGetExportKey(notify, key, sizeof key, 0);
          aclrtDestroyNotify(notify);
        }
      },
      [] {
        aclrtLabel label = nullptr;
        aclrtContext context = nullptr;
        if (aclrtCreateLabel(&label) == ACL_SUCCESS) {
          aclrtDestroyLabel(label);
        }
        if (aclrtCreateContext(&context, 0) == ACL_SUCCESS) {
          aclrtDestroyContext(context);
        }
      },
  };
  ACL_OK(aclInit(nullptr));
  for (const Round& make : rounds) {
    std::atomic<bool> over{false};
    std::atomic<int> made{0};
    std::thread maker([&] {
      while (!over.load(std::memory_order_relaxed)) {
        aclrtSetDevice(0);
        make();
        made.fetch_add(1, std::memory_order_relaxed);
      }
    });
    for (int resets = 0; resets < 100 || made.load(std::memory_order_relaxed) < 100; ++resets) {
      ACL_OK(aclrtSetDevice(0));
      aclrtResetDeviceForce(0);  // 507007 where the other thread was between two calls of it
    }
    over.store(true, std::memory_order_relaxed);
    maker.join();
  }
  ACL_OK(aclFinalize());
}

// Who blocks on a stream keeps it until its call returns; another thread's end of the stream, or of all of the device,
// waits for the work meanwhile.
TEST(StreamThatEnds, UnderThreadsThatBlockOnIt) {
  constexpr int kRounds = 60;
  constexpr int kBlocked = 3;
  for (int round = 0; round < kRounds; ++round) {
    ACL_OK(aclInit(nullptr));
    ACL_OK(aclrtSetDevice(0));
    aclrtStream stream = nullptr;
    ACL_OK(aclrtCreateStream(&stream));
    Gate gate;
    ACL_OK(gate.close(stream));
    std::atomic<pid_t> blocked[kBlocked] = {};
    std::atomic<bool> ending{false};
    aclrtContext context = nullptr;
    ACL_OK(aclrtGetCurrentContext(&context));
    std::vector<std::thread> threads;
    for (int each = 0; each < kBlocked; ++each) {
      threads.emplace_back([&, each] {
        EXPECT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
        blocked[each].store(::gettid());
        const aclError code = each == 0 ? aclrtSynchronizeStreamWithTimeout(stream, 60'000) : aclrtSynchronizeStream(stream);
        EXPECT_EQ(code, ACL_SUCCESS) << why();
      });
    }
    threads.emplace_back([&] {
      while (!ending.load()) {
        std::this_thread::yield();
      }
      for (int i = 0; i < round * round; ++i) {  // the end comes early and late
        std::this_thread::yield();
      }
      gate.open();
    });
    for (const auto& thread : blocked) {
      while (thread.load() == 0 || !sleeps(thread.load())) {
        std::this_thread::yield();
      }
    }
    ending.store(true);
    switch (round % 3) {
      case 0: EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS) << why(); break;
      case 1: EXPECT_EQ(aclrtResetDeviceForce(0), ACL_SUCCESS) << why(); break;
      default: EXPECT_EQ(aclFinalize(), ACL_SUCCESS) << why(); break;
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    if (round % 3 != 2) {
      ACL_OK(aclFinalize());
    }
  }
}

}  // namespace
}  // namespace canopy::test
