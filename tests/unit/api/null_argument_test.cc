// Every pointer of every function, NULL in turn.
#include "tests/unit/api/gate.h"

#include <functional>
#include <string>

namespace canopy::test {
namespace {

class NullArgument : public AclTest {};

TEST_F(NullArgument, Is100000AndNamesTheParameter) {
  void* out = nullptr;
  int32_t number = 0;
  uint64_t stamp = 0;
  size_t size = 0;
  float ms = 0;
  aclrtEvent event = nullptr;
  aclrtStream stream = nullptr;
  void* memory = nullptr;
  aclrtEventStatus event_status;
  aclrtEventRecordedStatus recorded_status;
  aclrtEventWaitStatus wait_status;
  uint32_t id = 0;
  aclrtCntNotifyRecordInfo change{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
  aclrtCntNotifyWaitInfo want{ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 1, 0, 0, {}};
  ACL_OK(aclrtCreateEvent(&event));
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  const auto null_function = static_cast<aclrtHostFunc>(nullptr);
  const struct {
    const char* name;
    std::function<aclError()> call;
  } calls[] = {
      {"aclrtGetDevice: deviceId", [&] { return aclrtGetDevice(nullptr); }},
      {"aclrtGetDeviceCount: count", [&] { return aclrtGetDeviceCount(nullptr); }},
      {"aclrtGetRunMode: runMode", [&] { return aclrtGetRunMode(nullptr); }},
      {"aclrtDeviceGetStreamPriorityRange: leastPriority", [&] { return aclrtDeviceGetStreamPriorityRange(nullptr, &number); }},
      {"aclrtDeviceGetStreamPriorityRange: greatestPriority", [&] { return aclrtDeviceGetStreamPriorityRange(&number, nullptr); }},
      {"aclrtDeviceCanAccessPeer: canAccessPeer", [&] { return aclrtDeviceCanAccessPeer(nullptr, 0, 1); }},
      {"aclrtDevicePeerAccessStatus: status", [&] { return aclrtDevicePeerAccessStatus(0, 1, nullptr); }},
      {"aclrtCreateContext: context", [&] { return aclrtCreateContext(nullptr, 0); }},
      {"aclrtDestroyContext: context", [&] { return aclrtDestroyContext(nullptr); }},
      {"aclrtSetCurrentContext: context", [&] { return aclrtSetCurrentContext(nullptr); }},
      {"aclrtGetCurrentContext: context", [&] { return aclrtGetCurrentContext(nullptr); }},
      {"aclrtCtxGetCurrentDefaultStream: stream", [&] { return aclrtCtxGetCurrentDefaultStream(nullptr); }},
      {"aclrtCreateStreamWithConfig: stream", [&] { return aclrtCreateStream(nullptr); }},
      {"aclrtCreateStreamWithConfig: stream", [&] { return aclrtCreateStreamWithConfig(nullptr, 0, 0); }},
      {"aclrtDestroyStream: stream", [&] { return aclrtDestroyStream(nullptr); }},
      {"aclrtStreamQuery: status", [&] { return aclrtStreamQuery(stream, nullptr); }},
      {"aclrtStreamGetId: streamId", [&] { return aclrtStreamGetId(stream, nullptr); }},
      {"aclrtStreamGetPriority: priority", [&] { return aclrtStreamGetPriority(stream, nullptr); }},
      {"aclrtStreamGetFlags: flags", [&] { return aclrtStreamGetFlags(stream, nullptr); }},
      {"aclrtLaunchHostFunc: fn", [&] { return aclrtLaunchHostFunc(stream, null_function, nullptr); }},
      {"aclrtCreateEvent: event", [&] { return aclrtCreateEvent(nullptr); }},
      {"aclrtCreateEventWithFlag: event", [&] { return aclrtCreateEventWithFlag(nullptr, ACL_EVENT_SYNC); }},
      {"aclrtCreateEventExWithFlag: event", [&] { return aclrtCreateEventExWithFlag(nullptr, ACL_EVENT_SYNC); }},
      {"aclrtDestroyEvent: event", [&] { return aclrtDestroyEvent(nullptr); }},
      {"aclrtRecordEvent: event", [&] { return aclrtRecordEvent(nullptr, stream); }},
      {"aclrtStreamWaitEvent: event", [&] { return aclrtStreamWaitEvent(stream, nullptr); }},
      {"aclrtSynchronizeEvent: event", [&] { return aclrtSynchronizeEvent(nullptr); }},
      {"aclrtSynchronizeEventWithTimeout: event", [&] { return aclrtSynchronizeEventWithTimeout(nullptr, 1); }},
      {"aclrtQueryEvent: event", [&] { return aclrtQueryEvent(nullptr, &event_status); }},
      {"aclrtQueryEvent: status", [&] { return aclrtQueryEvent(event, nullptr); }},
      {"aclrtQueryEventStatus: event", [&] { return aclrtQueryEventStatus(nullptr, &recorded_status); }},
      {"aclrtQueryEventStatus: status", [&] { return aclrtQueryEventStatus(event, nullptr); }},
      {"aclrtEventElapsedTime: ms", [&] { return aclrtEventElapsedTime(nullptr, event, event); }},
      {"aclrtEventElapsedTime: startEvent", [&] { return aclrtEventElapsedTime(&ms, nullptr, event); }},
      {"aclrtEventElapsedTime: endEvent", [&] { return aclrtEventElapsedTime(&ms, event, nullptr); }},
      {"aclrtEventGetTimestamp: event", [&] { return aclrtEventGetTimestamp(nullptr, &stamp); }},
      {"aclrtEventGetTimestamp: timestamp", [&] { return aclrtEventGetTimestamp(event, nullptr); }},
      {"aclrtRecordEventWithFlag: event", [&] { return aclrtRecordEventWithFlag(nullptr, stream, 0); }},
      {"aclrtResetEvent: event", [&] { return aclrtResetEvent(nullptr, stream); }},
      {"aclrtStreamWaitEventWithTimeout: event", [&] { return aclrtStreamWaitEventWithTimeout(stream, nullptr, 1); }},
      {"aclrtStreamWaitEventWithFlag: event", [&] { return aclrtStreamWaitEventWithFlag(stream, nullptr, 0, 0); }},
      {"aclrtQueryEventWaitStatus: event", [&] { return aclrtQueryEventWaitStatus(nullptr, &wait_status); }},
      {"aclrtQueryEventWaitStatus: status", [&] { return aclrtQueryEventWaitStatus(event, nullptr); }},
      {"aclrtGetEventId: event", [&] { return aclrtGetEventId(nullptr, &id); }},
      {"aclrtGetEventId: eventId", [&] { return aclrtGetEventId(event, nullptr); }},
      {"aclrtGetEventAvailNum: eventCount", [&] { return aclrtGetEventAvailNum(nullptr); }},
      {"aclrtCreateNotify: notify", [&] { return aclrtCreateNotify(nullptr, 0); }},
      {"aclrtDestroyNotify: notify", [&] { return aclrtDestroyNotify(nullptr); }},
      {"aclrtRecordNotify: notify", [&] { return aclrtRecordNotify(nullptr, stream); }},
      {"aclrtWaitAndResetNotify: notify", [&] { return aclrtWaitAndResetNotify(nullptr, stream, 1); }},
      {"aclrtGetNotifyId: notify", [&] { return aclrtGetNotifyId(nullptr, &id); }},
      {"aclrtGetNotifyId: notifyId", [&] { return aclrtGetNotifyId(kInvented, nullptr); }},
      {"aclrtNotifyBatchReset: notifies", [&] { return aclrtNotifyBatchReset(nullptr, 1); }},
      {"aclrtCntNotifyCreate: cntNotify", [&] { return aclrtCntNotifyCreate(nullptr, 0); }},
      {"aclrtCntNotifyDestroy: cntNotify", [&] { return aclrtCntNotifyDestroy(nullptr); }},
      {"aclrtCntNotifyRecord: cntNotify", [&] { return aclrtCntNotifyRecord(nullptr, stream, &change); }},
      {"aclrtCntNotifyRecord: info", [&] { return aclrtCntNotifyRecord(kInvented, stream, nullptr); }},
      {"aclrtCntNotifyWaitWithTimeout: cntNotify", [&] { return aclrtCntNotifyWaitWithTimeout(nullptr, stream, &want); }},
      {"aclrtCntNotifyWaitWithTimeout: info", [&] { return aclrtCntNotifyWaitWithTimeout(kInvented, stream, nullptr); }},
      {"aclrtCntNotifyReset: cntNotify", [&] { return aclrtCntNotifyReset(nullptr, stream); }},
      {"aclrtCntNotifyGetId: cntNotify", [&] { return aclrtCntNotifyGetId(nullptr, &id); }},
      {"aclrtCntNotifyGetId: notifyId", [&] { return aclrtCntNotifyGetId(kInvented, nullptr); }},
      {"aclrtValueWrite: devAddr", [&] { return aclrtValueWrite(nullptr, 1, 0, stream); }},
      {"aclrtValueWait: devAddr", [&] { return aclrtValueWait(nullptr, 1, 0, stream); }},
      {"aclrtCreateLabel: label", [&] { return aclrtCreateLabel(nullptr); }},
      {"aclrtDestroyLabel: label", [&] { return aclrtDestroyLabel(nullptr); }},
      {"aclrtCreateLabelList: labels", [&] { return aclrtCreateLabelList(nullptr, 1, &out); }},
      {"aclrtCreateLabelList: labelList", [&] { return aclrtCreateLabelList(&out, 1, nullptr); }},
      {"aclrtDestroyLabelList: labelList", [&] { return aclrtDestroyLabelList(nullptr); }},
      {"aclrtSetLabel: label", [&] { return aclrtSetLabel(nullptr, stream); }},
      {"aclrtSwitchLabelByIndex: ptr", [&] { return aclrtSwitchLabelByIndex(nullptr, 1, kInvented, stream); }},
      {"aclrtSwitchLabelByIndex: labelList", [&] { return aclrtSwitchLabelByIndex(memory, 1, nullptr, stream); }},
      {"aclrtMalloc: devPtr", [&] { return aclrtMalloc(nullptr, 64, ACL_MEM_MALLOC_HUGE_FIRST); }},
      {"aclrtFree: devPtr", [&] { return aclrtFree(nullptr); }},
      {"aclrtMallocHost: hostPtr", [&] { return aclrtMallocHost(nullptr, 64); }},
      {"aclrtFreeHost: hostPtr", [&] { return aclrtFreeHost(nullptr); }},
      {"aclrtGetMemInfo: free", [&] { return aclrtGetMemInfo(ACL_HBM_MEM, nullptr, &size); }},
      {"aclrtGetMemInfo: total", [&] { return aclrtGetMemInfo(ACL_HBM_MEM, &size, nullptr); }},
      {"aclrtMemcpy: dst", [&] { return aclrtMemcpy(nullptr, 8, memory, 8, ACL_MEMCPY_DEFAULT); }},
      {"aclrtMemcpy: src", [&] { return aclrtMemcpy(memory, 8, nullptr, 8, ACL_MEMCPY_DEFAULT); }},
      {"aclrtMemcpyAsync: dst", [&] { return aclrtMemcpyAsync(nullptr, 8, memory, 8, ACL_MEMCPY_DEFAULT, stream); }},
      {"aclrtMemcpyAsync: src", [&] { return aclrtMemcpyAsync(memory, 8, nullptr, 8, ACL_MEMCPY_DEFAULT, stream); }},
      {"aclrtMemset: devPtr", [&] { return aclrtMemset(nullptr, 8, 0, 8); }},
      {"aclrtMemsetAsync: devPtr", [&] { return aclrtMemsetAsync(nullptr, 8, 0, 8, stream); }},
      {"aclrtBinaryLoadFromFile: binPath", [&] { return aclrtBinaryLoadFromFile(nullptr, nullptr, &out); }},
      {"aclrtBinaryLoadFromFile: binHandle", [&] { return aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, nullptr); }},
      {"aclrtBinaryUnLoad: binHandle", [&] { return aclrtBinaryUnLoad(nullptr); }},
      {"aclrtBinaryGetFunction: binHandle", [&] { return aclrtBinaryGetFunction(nullptr, "x", &out); }},
      {"aclrtBinaryGetFunction: kernelName", [&] { return aclrtBinaryGetFunction(kInvented, nullptr, &out); }},
      {"aclrtBinaryGetFunction: funcHandle", [&] { return aclrtBinaryGetFunction(kInvented, "x", nullptr); }},
      {"aclrtGetFuncBySymbol: symbol", [&] { return aclrtGetFuncBySymbol(nullptr, &out); }},
      {"aclrtGetFuncBySymbol: funcHandle", [&] { return aclrtGetFuncBySymbol(memory, nullptr); }},
      {"aclrtLaunchKernel: funcHandle", [&] { return aclrtLaunchKernel(nullptr, 1, memory, 8, stream); }},
      {"aclrtLaunchKernelWithHostArgs: funcHandle",
       [&] { return aclrtLaunchKernelWithHostArgs(nullptr, 1, stream, nullptr, memory, 8, nullptr, 0); }},
      {"aclrtLaunchKernelWithHostArgs: placeHolderArray",
       [&] { return aclrtLaunchKernelWithHostArgs(kInvented, 1, stream, nullptr, memory, 8, nullptr, 1); }},
  };
  for (const auto& [name, call] : calls) {
    EXPECT_EQ(call(), ACL_ERROR_INVALID_PARAM) << name;
    EXPECT_EQ(std::string(why()), std::string(name) + " must not be NULL");
  }
}

TEST_F(NullArgument, IsLegalWhereTheInterfaceSaysSo) {
  ACL_OK(aclrtSynchronizeStream(nullptr));
  aclrtStreamStatus status;
  ACL_OK(aclrtStreamQuery(nullptr, &status));
  ACL_OK(aclrtLaunchHostFunc(nullptr, [](void*) {}, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_F(NullArgument, OfSizeZeroLeavesASentence) {
  void* memory = nullptr;
  ASSERT_EQ(aclrtMallocHost(&memory, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_STREQ(why(), "aclrtMallocHost: size must not be 0");
}

}  // namespace
}  // namespace canopy::test
