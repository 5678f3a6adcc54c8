// A program of somebody else, in C++: a kernel of its own, and the overloads of acl_rt_api.h.
#include "canopy/kernel.h"

#include <acl/acl.h>
#include <acl/acl_rt_api.h>

#include <cstdio>

__global__ __aicore__ void count(GM_ADDR numbers) {
  reinterpret_cast<int*>(numbers)[GetBlockIdx()] = static_cast<int>(GetBlockIdx()) + 1;
}
CANOPY_KERNEL(count)

int main() {
  constexpr int kBlocks = 8;
  int host[kBlocks] = {};
  int* numbers = nullptr;
  aclrtFuncHandle function = nullptr;
  aclrtStream stream = nullptr;
  int failed =
      aclInit(nullptr) || aclrtSetDevice(0) || aclrtCreateStream(&stream, 0, 0) ||
      aclrtGetFuncBySymbol(reinterpret_cast<void*>(&count), &function) ||
      aclrtMalloc(reinterpret_cast<void**>(&numbers), sizeof host, ACL_MEM_MALLOC_HUGE_FIRST) ||
      aclrtLaunchKernelWithHostArgs(function, kBlocks, stream, nullptr, &numbers, sizeof numbers,
                                    nullptr, 0) ||
      aclrtSynchronizeStream(stream, 10000) ||
      aclrtMemcpy(host, sizeof host, numbers, sizeof host, ACL_MEMCPY_DEVICE_TO_HOST) ||
      aclFinalize();
  int sum = 0;
  for (int number : host) {
    sum += number;
  }
  const char* text = aclGetRecentErrMsg();
  std::printf("%d %s\n", sum, text == nullptr ? "" : text);
  return failed != 0 || sum != kBlocks * (kBlocks + 1) / 2;
}
