// put_signal: two cards talk to each other from inside their kernels. Run it with mpirun -n 2.
//
// One kernel per card, launched once. Card 0 writes a message into card 1's memory and raises card
// 1's signal, both with one call; card 1's kernel waits for the signal, adds one to every element
// and sends the message back in the same way; and so on for some rounds. No host takes part: it
// launches the kernels and looks at the result.
#include "acl/acl.h"
#include "aclshmem.h"
#include "canopy/kernel.h"
#include "shmem.h"
#include "shmemx.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

// `message` and `signal` are symmetric: the same offset in both cards' heaps, so that this card's
// address names the peer's memory too. The signal counts rounds.
__global__ __aicore__ void ping_pong(GM_ADDR message, GM_ADDR signal, uint32_t n, int32_t rounds,
                                     int32_t pe) {
  auto* data = reinterpret_cast<__gm__ float*>(message);
  auto* word = reinterpret_cast<__gm__ int32_t*>(signal);
  const int peer = 1 - pe;
  for (int32_t round = 1; round <= rounds; ++round) {
    if (pe == 0) {
      aclshmem_putmem_signal(data, data, n * sizeof(float), word, round, ACLSHMEM_SIGNAL_SET, peer);
    }
    // The signal is raised after the message has arrived: what is read below is all new.
    aclshmem_signal_wait_until(word, ACLSHMEM_CMP_GE, round);
    if (pe == 1) {
      for (uint32_t i = 0; i < n; ++i) {
        data[i] += 1;
      }
      aclshmem_putmem_signal(data, data, n * sizeof(float), word, round, ACLSHMEM_SIGNAL_SET, peer);
    }
  }
}
CANOPY_KERNEL(ping_pong)

namespace {

void check(bool right, const char* what) {
  if (!right) {
    const char* text = aclGetRecentErrMsg();
    std::fprintf(stderr, "put_signal: %s failed: %s\n", what, text ? text : "");
    std::exit(1);
  }
}

int run(int pe) {
  constexpr uint32_t n = 1000;
  constexpr int32_t kRounds = 100;
  auto* message = static_cast<float*>(aclshmem_malloc(n * sizeof(float)));
  auto* signal = static_cast<int32_t*>(aclshmem_calloc(1, sizeof(int32_t)));
  check(message != nullptr && signal != nullptr, "aclshmem_malloc");
  std::vector<float> host(n);
  for (uint32_t i = 0; i < n; ++i) {
    host[i] = static_cast<float>(i);
  }
  const size_t nbytes = n * sizeof(float);
  check(aclrtMemcpy(message, nbytes, host.data(), nbytes, ACL_MEMCPY_HOST_TO_DEVICE) == ACL_SUCCESS,
        "aclrtMemcpy");
  // Neither card may send before the other's memory is ready.
  aclshmem_barrier_all();

  check(canopy::launch(ping_pong, 1, nullptr, reinterpret_cast<GM_ADDR>(message),
                       reinterpret_cast<GM_ADDR>(signal), n, kRounds, pe) == ACL_SUCCESS,
        "launching ping_pong");
  check(aclrtSynchronizeStream(nullptr) == ACL_SUCCESS, "aclrtSynchronizeStream");

  check(aclrtMemcpy(host.data(), nbytes, message, nbytes, ACL_MEMCPY_DEVICE_TO_HOST) == ACL_SUCCESS,
        "aclrtMemcpy");
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < n; ++i) {
    wrong += host[i] != static_cast<float>(i) + kRounds ? 1 : 0;
  }
  shmemx_op_counts_t counts = {};
  shmemx_op_counts(&counts);
  std::printf(
      "put_signal: PE %d: %d rounds, %u of %u elements right; kernel issued %llu puts and %llu "
      "waits, host %llu and %llu\n",
      pe, kRounds, n - wrong, n, static_cast<unsigned long long>(counts.kernel_puts),
      static_cast<unsigned long long>(counts.kernel_waits),
      static_cast<unsigned long long>(counts.host_puts),
      static_cast<unsigned long long>(counts.host_waits));
  aclshmem_free(signal);
  aclshmem_free(message);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main() {
  check(aclInit(nullptr) == ACL_SUCCESS, "aclInit");
  // The launcher says who we are. The first init joins the job, the second adds a heap in HBM.
  const char* local = std::getenv("OMPI_COMM_WORLD_LOCAL_RANK");
  uint32_t npus = 0;
  check(aclrtGetDeviceCount(&npus) == ACL_SUCCESS && npus > 0, "aclrtGetDeviceCount");
  const int device = (local != nullptr ? std::atoi(local) : 0) % static_cast<int>(npus);
  check(aclrtSetDevice(device) == ACL_SUCCESS, "aclrtSetDevice");
  shmem_init();
  const int pe = shmem_my_pe();
  int status = 1;
  if (shmem_n_pes() != 2) {
    if (pe == 0) {
      std::fprintf(stderr, "put_signal: needs 2 PEs, not %d: mpirun -n 2 put_signal\n",
                   shmem_n_pes());
    }
  } else {
    aclshmemx_init_attr_t attributes = {};
    attributes.my_pe = pe;
    attributes.n_pes = 2;
    attributes.local_mem_size = 2 << 20;
    check(aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_DEFAULT, &attributes) == ACLSHMEM_SUCCESS,
          "aclshmemx_init_attr");
    status = run(pe);
    check(aclshmem_finalize() == ACLSHMEM_SUCCESS, "aclshmem_finalize");
  }
  shmem_finalize();
  check(aclrtResetDevice(device) == ACL_SUCCESS, "aclrtResetDevice");
  check(aclFinalize() == ACL_SUCCESS, "aclFinalize");
  return status;
}
