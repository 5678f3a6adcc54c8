// aclshmem.h from kernels: a ring of put-with-signal, atomics and barriers that kernels alone issue, with the
// counters as witness.
#include "acl/acl.h"
#include "canopy/kernel.h"
#include "shmem.h"
#include "shmemx.h"

#include <cstdio>

namespace {

constexpr int kRounds = 200;
constexpr int kCount = 64;

// Each round: send to the right, wait for the left, check, and only then let the next round begin.
__global__ __aicore__ void ring(GM_ADDR data, GM_ADDR signal, GM_ADDR result) {
  auto* box = reinterpret_cast<__gm__ int32_t*>(data);
  auto* out = box + kCount;
  auto* arrived = reinterpret_cast<__gm__ int32_t*>(signal);
  auto* wrong = reinterpret_cast<__gm__ int64_t*>(result);
  const int me = aclshmem_my_pe();
  const int n = aclshmem_n_pes();
  const int right = (me + 1) % n;
  const int left = (me + n - 1) % n;
  for (int round = 1; round <= kRounds; ++round) {
    for (int i = 0; i < kCount; ++i) {
      out[i] = 1000 * me + round;
    }
    aclshmem_int32_put_signal(box, out, kCount, arrived, round, ACLSHMEM_SIGNAL_SET, right);
    if (aclshmem_signal_wait_until(arrived, ACLSHMEM_CMP_EQ, round) != round) {
      ++*wrong;
    }
    for (int i = 0; i < kCount; ++i) {
      *wrong += box[i] != 1000 * left + round;
    }
    aclshmem_int64_atomic_fetch_add(wrong + 1, 1, 0);
    aclshmem_barrier_all();
  }
}
CANOPY_KERNEL(ring)

int run() {
  const int me = aclshmem_my_pe();
  const int n = aclshmem_n_pes();
  void* data = aclshmem_calloc(2 * kCount, sizeof(int32_t));
  void* signal = aclshmem_calloc(1, sizeof(int32_t));
  void* result = aclshmem_calloc(2, sizeof(int64_t));
  aclrtStream stream = nullptr;
  if (data == nullptr || signal == nullptr || result == nullptr ||
      aclrtCreateStream(&stream) != ACL_SUCCESS) {
    return 10;
  }
  if (canopy::launch(ring, 1, stream, static_cast<GM_ADDR>(data), static_cast<GM_ADDR>(signal),
                     static_cast<GM_ADDR>(result)) != ACL_SUCCESS ||
      aclrtSynchronizeStream(stream) != ACL_SUCCESS) {
    return 11;
  }
  int64_t back[2] = {};
  if (aclrtMemcpy(back, sizeof back, result, sizeof back, ACL_MEMCPY_DEVICE_TO_HOST) != ACL_SUCCESS) {
    return 12;
  }
  shmemx_op_counts_t counts;
  shmemx_op_counts(&counts);
  const auto rounds = static_cast<uint64_t>(kRounds);
  const bool by_kernels = counts.kernel_puts == rounds && counts.kernel_signals == rounds &&
                          counts.kernel_waits == rounds && counts.kernel_atomics == rounds &&
                          counts.kernel_barriers == rounds && counts.host_puts == 0 &&
                          counts.host_signals == 0 && counts.host_waits == 0;
  if (back[0] != 0 || (me == 0 && back[1] != kRounds * n) || !by_kernels) {
    std::fprintf(stderr, "PE %d: %ld wrong words, %ld adds, %lu kernel puts, %lu host puts\n", me,
                 static_cast<long>(back[0]), static_cast<long>(back[1]),
                 static_cast<unsigned long>(counts.kernel_puts),
                 static_cast<unsigned long>(counts.host_puts));
    return 13;
  }
  aclshmem_barrier_all();
  aclrtDestroyStream(stream);
  aclshmem_free(result);
  aclshmem_free(signal);
  aclshmem_free(data);
  return 0;
}

}  // namespace

int main() {
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) {
    return 2;
  }
  shmem_init();
  aclshmemx_init_attr_t attributes{shmem_my_pe(), shmem_n_pes(), "", 16u << 20};
  if (aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_DEFAULT, &attributes) != ACLSHMEM_SUCCESS) {
    return 3;
  }
  const int code = run();
  if (code != 0) {
    aclshmem_global_exit(code);
  }
  if (aclshmem_my_pe() == 0) {
    std::printf("OK: %d PEs\n", aclshmem_n_pes());
  }
  aclshmem_finalize();
  shmem_finalize();
  aclrtResetDevice(0);
  return aclFinalize();
}
