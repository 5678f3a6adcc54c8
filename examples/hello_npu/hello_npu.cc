// hello_npu: one card, no SHMEM. Two vectors go to the card, a kernel adds them, the result comes
// back, and two events tell how long the kernel took. Every call is checked: a failure is one
// sentence.
#include "acl/acl.h"
#include "canopy/kernel.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

// y = a * x + y. The blocks share the elements; each is its own core on a card.
__global__ __aicore__ void axpy(GM_ADDR x, GM_ADDR y, float a, uint32_t n) {
  const auto* in = reinterpret_cast<__gm__ const float*>(x);
  auto* out = reinterpret_cast<__gm__ float*>(y);
  for (uint32_t i = GetBlockIdx(); i < n; i += GetBlockNum()) {
    out[i] += a * in[i];
  }
}
CANOPY_KERNEL(axpy)

namespace {

void check(aclError code, const char* what) {
  if (code != ACL_SUCCESS) {
    const char* text = aclGetRecentErrMsg();
    std::fprintf(stderr, "hello_npu: %s failed with %d: %s\n", what, code, text ? text : "");
    std::exit(1);
  }
}

}  // namespace

int main() {
  constexpr uint32_t kBlocks = 8;
  constexpr uint32_t n = 100'000;
  constexpr size_t nbytes = n * sizeof(float);

  check(aclInit(nullptr), "aclInit");
  uint32_t npus = 0;
  check(aclrtGetDeviceCount(&npus), "aclrtGetDeviceCount");
  check(aclrtSetDevice(0), "aclrtSetDevice(0)");
  std::printf("hello_npu: %u NPU(s) here, this is NPU 0, %s\n", npus, aclrtGetSocName());

  aclrtStream stream = nullptr;
  aclrtEvent start = nullptr;
  aclrtEvent stop = nullptr;
  check(aclrtCreateStream(&stream), "aclrtCreateStream");
  check(aclrtCreateEventWithFlag(&start, ACL_EVENT_TIME_LINE), "aclrtCreateEventWithFlag");
  check(aclrtCreateEventWithFlag(&stop, ACL_EVENT_TIME_LINE), "aclrtCreateEventWithFlag");

  std::vector<float> host_x(n);
  std::vector<float> host_y(n);
  for (uint32_t i = 0; i < n; ++i) {
    host_x[i] = static_cast<float>(i);
    host_y[i] = 1.0f;
  }
  void* x = nullptr;
  void* y = nullptr;
  check(aclrtMalloc(&x, nbytes, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  check(aclrtMalloc(&y, nbytes, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  check(aclrtMemcpy(x, nbytes, host_x.data(), nbytes, ACL_MEMCPY_HOST_TO_DEVICE), "copying x");
  check(aclrtMemcpy(y, nbytes, host_y.data(), nbytes, ACL_MEMCPY_HOST_TO_DEVICE), "copying y");

  // A stream runs in order: event, kernel, event. The host waits only at the end.
  check(aclrtRecordEvent(start, stream), "aclrtRecordEvent");
  check(canopy::launch(axpy, kBlocks, stream, static_cast<GM_ADDR>(x), static_cast<GM_ADDR>(y),
                       2.0f, n),
        "launching axpy");
  check(aclrtRecordEvent(stop, stream), "aclrtRecordEvent");
  check(aclrtSynchronizeStream(stream), "aclrtSynchronizeStream");

  float ms = 0;
  check(aclrtEventElapsedTime(&ms, start, stop), "aclrtEventElapsedTime");
  check(aclrtMemcpy(host_y.data(), nbytes, y, nbytes, ACL_MEMCPY_DEVICE_TO_HOST), "copying y back");
  for (uint32_t i = 0; i < n; ++i) {
    if (host_y[i] != 2.0f * static_cast<float>(i) + 1.0f) {
      std::fprintf(stderr, "hello_npu: y[%u] is %g instead of %g\n", i, host_y[i], 2.0 * i + 1);
      return 1;
    }
  }
  std::printf("hello_npu: %u elements right, %u blocks took %.3f ms on the card\n", n, kBlocks, ms);

  check(aclrtFree(x), "aclrtFree");
  check(aclrtFree(y), "aclrtFree");
  check(aclrtDestroyEvent(start), "aclrtDestroyEvent");
  check(aclrtDestroyEvent(stop), "aclrtDestroyEvent");
  check(aclrtDestroyStream(stream), "aclrtDestroyStream");
  check(aclrtResetDevice(0), "aclrtResetDevice");
  check(aclFinalize(), "aclFinalize");
  return 0;
}
