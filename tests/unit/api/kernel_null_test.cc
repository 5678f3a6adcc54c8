// Null arguments of the functions of kernels, their arguments, launches, limits and callbacks.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <functional>
#include <string>

namespace {

__global__ __aicore__ void nothing() {}
CANOPY_KERNEL(nothing)

}  // namespace

namespace canopy::test {
namespace {

using KernelNullArgument = AclTest;

TEST_F(KernelNullArgument, Is100000AndNamesTheParameter) {
  aclrtBinHandle binary = nullptr;
  aclrtFuncHandle function = nullptr;
  aclrtArgsHandle args = nullptr;
  aclrtParamHandle parameter = nullptr;
  void* out = nullptr;
  size_t size = 0;
  int64_t value = 0;
  char name[8];
  char data[8] = {};
  ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary));
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&nothing), &function));
  ACL_OK(aclrtKernelArgsInit(function, &args));
  const struct {
    const char* name;
    std::function<aclError()> call;
  } calls[] = {
      {"aclrtBinaryLoadFromFile: binPath",
       [&] { return aclrtBinaryLoadFromFile(nullptr, nullptr, &out); }},
      {"aclrtBinaryLoadFromFile: binHandle",
       [&] { return aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, nullptr); }},
      {"aclrtBinaryLoadFromData: data",
       [&] { return aclrtBinaryLoadFromData(nullptr, 8, nullptr, &out); }},
      {"aclrtBinaryLoadFromData: binHandle",
       [&] { return aclrtBinaryLoadFromData(data, 8, nullptr, nullptr); }},
      {"aclrtDestroyBinary: binary", [&] { return aclrtDestroyBinary(nullptr); }},
      {"aclrtBinaryLoad: binary", [&] { return aclrtBinaryLoad(nullptr, &out); }},
      {"aclrtBinaryLoad: binHandle", [&] { return aclrtBinaryLoad(data, nullptr); }},
      {"aclrtBinaryUnLoad: binHandle", [&] { return aclrtBinaryUnLoad(nullptr); }},
      {"aclrtBinaryGetDevAddress: binHandle",
       [&] { return aclrtBinaryGetDevAddress(nullptr, &out, &size); }},
      {"aclrtBinaryGetDevAddress: binAddr",
       [&] { return aclrtBinaryGetDevAddress(binary, nullptr, &size); }},
      {"aclrtBinaryGetDevAddress: binSize",
       [&] { return aclrtBinaryGetDevAddress(binary, &out, nullptr); }},
      {"aclrtBinaryGetGlobal: binHandle",
       [&] { return aclrtBinaryGetGlobal(nullptr, "x", &out, &size); }},
      {"aclrtBinaryGetGlobal: name",
       [&] { return aclrtBinaryGetGlobal(binary, nullptr, &out, &size); }},
      {"aclrtBinaryGetFunction: binHandle",
       [&] { return aclrtBinaryGetFunction(nullptr, "x", &out); }},
      {"aclrtBinaryGetFunction: kernelName",
       [&] { return aclrtBinaryGetFunction(binary, nullptr, &out); }},
      {"aclrtBinaryGetFunction: funcHandle",
       [&] { return aclrtBinaryGetFunction(binary, "x", nullptr); }},
      {"aclrtBinaryGetFunctionByEntry: binHandle",
       [&] { return aclrtBinaryGetFunctionByEntry(nullptr, 1, &out); }},
      {"aclrtBinaryGetFunctionByEntry: funcHandle",
       [&] { return aclrtBinaryGetFunctionByEntry(binary, 1, nullptr); }},
      {"aclrtGetFuncBySymbol: symbol", [&] { return aclrtGetFuncBySymbol(nullptr, &out); }},
      {"aclrtGetFuncBySymbol: funcHandle", [&] { return aclrtGetFuncBySymbol(data, nullptr); }},
      {"aclrtRegisterCpuFunc: handle",
       [&] { return aclrtRegisterCpuFunc(nullptr, "f", "k", &out); }},
      {"aclrtRegisterCpuFunc: funcName",
       [&] { return aclrtRegisterCpuFunc(binary, nullptr, "k", &out); }},
      {"aclrtRegisterCpuFunc: kernelName",
       [&] { return aclrtRegisterCpuFunc(binary, "f", nullptr, &out); }},
      {"aclrtRegisterCpuFunc: funcHandle",
       [&] { return aclrtRegisterCpuFunc(binary, "f", "k", nullptr); }},
      {"aclrtFunctionGetBinary: funcHandle", [&] { return aclrtFunctionGetBinary(nullptr, &out); }},
      {"aclrtFunctionGetBinary: binHandle",
       [&] { return aclrtFunctionGetBinary(function, nullptr); }},
      {"aclrtGetFunctionName: funcHandle", [&] { return aclrtGetFunctionName(nullptr, 8, name); }},
      {"aclrtGetFunctionName: name", [&] { return aclrtGetFunctionName(function, 8, nullptr); }},
      {"aclrtGetFunctionAddr: funcHandle",
       [&] { return aclrtGetFunctionAddr(nullptr, &out, &out); }},
      {"aclrtGetFunctionAddr: aicAddr",
       [&] { return aclrtGetFunctionAddr(function, nullptr, &out); }},
      {"aclrtGetFunctionAddr: aivAddr",
       [&] { return aclrtGetFunctionAddr(function, &out, nullptr); }},
      {"aclrtGetFunctionSize: funcHandle",
       [&] { return aclrtGetFunctionSize(nullptr, &size, &size); }},
      {"aclrtGetFunctionSize: aicSize",
       [&] { return aclrtGetFunctionSize(function, nullptr, &size); }},
      {"aclrtGetFunctionSize: aivSize",
       [&] { return aclrtGetFunctionSize(function, &size, nullptr); }},
      {"aclrtGetFunctionAttribute: funcHandle",
       [&] { return aclrtGetFunctionAttribute(nullptr, ACL_FUNC_ATTR_KERNEL_TYPE, &value); }},
      {"aclrtGetFunctionAttribute: attrValue",
       [&] { return aclrtGetFunctionAttribute(function, ACL_FUNC_ATTR_KERNEL_TYPE, nullptr); }},
      {"aclrtFunctionGetParamCount: func",
       [&] { return aclrtFunctionGetParamCount(nullptr, &size); }},
      {"aclrtFunctionGetParamCount: paramCount",
       [&] { return aclrtFunctionGetParamCount(function, nullptr); }},
      {"aclrtFunctionGetParamInfo: func",
       [&] { return aclrtFunctionGetParamInfo(nullptr, 0, &size, &size); }},
      {"aclrtFunctionGetParamInfo: paramOffset",
       [&] { return aclrtFunctionGetParamInfo(function, 0, nullptr, &size); }},
      {"aclrtFunctionGetParamInfo: paramSize",
       [&] { return aclrtFunctionGetParamInfo(function, 0, &size, nullptr); }},
      {"aclrtFunctionGetAvailDynUbufPerBlock: func",
       [&] { return aclrtFunctionGetAvailDynUbufPerBlock(nullptr, 0, &size); }},
      {"aclrtFunctionGetAvailDynUbufPerBlock: dynamicUbufSize",
       [&] { return aclrtFunctionGetAvailDynUbufPerBlock(function, 0, nullptr); }},
      {"aclrtKernelArgsInit: funcHandle", [&] { return aclrtKernelArgsInit(nullptr, &out); }},
      {"aclrtKernelArgsInit: argsHandle", [&] { return aclrtKernelArgsInit(function, nullptr); }},
      {"aclrtKernelArgsInitByUserMem: funcHandle",
       [&] { return aclrtKernelArgsInitByUserMem(nullptr, data, data, 8); }},
      {"aclrtKernelArgsInitByUserMem: argsHandle",
       [&] { return aclrtKernelArgsInitByUserMem(function, nullptr, data, 8); }},
      {"aclrtKernelArgsInitByUserMem: userHostMem",
       [&] { return aclrtKernelArgsInitByUserMem(function, data, nullptr, 8); }},
      {"aclrtKernelArgsGetMemSize: funcHandle",
       [&] { return aclrtKernelArgsGetMemSize(nullptr, 8, &size); }},
      {"aclrtKernelArgsGetMemSize: actualArgsSize",
       [&] { return aclrtKernelArgsGetMemSize(function, 8, nullptr); }},
      {"aclrtKernelArgsGetHandleMemSize: funcHandle",
       [&] { return aclrtKernelArgsGetHandleMemSize(nullptr, &size); }},
      {"aclrtKernelArgsGetHandleMemSize: memSize",
       [&] { return aclrtKernelArgsGetHandleMemSize(function, nullptr); }},
      {"aclrtKernelArgsAppend: argsHandle",
       [&] { return aclrtKernelArgsAppend(nullptr, data, 8, &parameter); }},
      {"aclrtKernelArgsAppend: param",
       [&] { return aclrtKernelArgsAppend(args, nullptr, 8, &parameter); }},
      {"aclrtKernelArgsAppend: paramHandle",
       [&] { return aclrtKernelArgsAppend(args, data, 8, nullptr); }},
      {"aclrtKernelArgsAppendPlaceHolder: argsHandle",
       [&] { return aclrtKernelArgsAppendPlaceHolder(nullptr, &parameter); }},
      {"aclrtKernelArgsAppendPlaceHolder: paramHandle",
       [&] { return aclrtKernelArgsAppendPlaceHolder(args, nullptr); }},
      {"aclrtKernelArgsGetPlaceHolderBuffer: argsHandle",
       [&] { return aclrtKernelArgsGetPlaceHolderBuffer(nullptr, data, 8, &out); }},
      {"aclrtKernelArgsGetPlaceHolderBuffer: paramHandle",
       [&] { return aclrtKernelArgsGetPlaceHolderBuffer(args, nullptr, 8, &out); }},
      {"aclrtKernelArgsGetPlaceHolderBuffer: bufferAddr",
       [&] { return aclrtKernelArgsGetPlaceHolderBuffer(args, data, 8, nullptr); }},
      {"aclrtKernelArgsParaUpdate: argsHandle",
       [&] { return aclrtKernelArgsParaUpdate(nullptr, data, data, 8); }},
      {"aclrtKernelArgsParaUpdate: paramHandle",
       [&] { return aclrtKernelArgsParaUpdate(args, nullptr, data, 8); }},
      {"aclrtKernelArgsParaUpdate: param",
       [&] { return aclrtKernelArgsParaUpdate(args, data, nullptr, 8); }},
      {"aclrtKernelArgsFinalize: argsHandle", [&] { return aclrtKernelArgsFinalize(nullptr); }},
      {"aclrtLaunchKernelV2: funcHandle",
       [&] { return aclrtLaunchKernelV2(nullptr, 1, data, 8, nullptr, nullptr); }},
      {"aclrtLaunchKernelWithConfig: funcHandle",
       [&] { return aclrtLaunchKernelWithConfig(nullptr, 1, nullptr, nullptr, args, nullptr); }},
      {"aclrtLaunchKernelWithConfig: argsHandle",
       [&] {
         return aclrtLaunchKernelWithConfig(function, 1, nullptr, nullptr, nullptr, nullptr);
       }},
      {"aclrtLaunchKernelWithArgsArray: func",
       [&] { return aclrtLaunchKernelWithArgsArray(nullptr, 1, nullptr, nullptr, nullptr); }},
      {"aclrtGetDeviceResLimit: value",
       [&] { return aclrtGetDeviceResLimit(0, ACL_RT_DEV_RES_CUBE_CORE, nullptr); }},
      {"aclrtGetStreamResLimit: value",
       [&] { return aclrtGetStreamResLimit(nullptr, ACL_RT_DEV_RES_CUBE_CORE, nullptr); }},
      {"aclrtGetResInCurrentThread: value",
       [&] { return aclrtGetResInCurrentThread(ACL_RT_DEV_RES_CUBE_CORE, nullptr); }},
  };
  for (const auto& one : calls) {
    EXPECT_EQ(one.call(), ACL_ERROR_INVALID_PARAM) << one.name;
    EXPECT_EQ(std::string(why()).rfind(one.name, 0), 0u) << one.name;
  }
}

}  // namespace
}  // namespace canopy::test
