// The process that gets memory and notify by their keys. Its kernel stores into the other process's
// memory as into its own; the notify, recorded behind it on the same stream, says that all is
// there.
#include "side.h"

#include "canopy/kernel.h"

#include <signal.h>

#include <chrono>
#include <cstdio>

__global__ __aicore__ void store_numbers(GM_ADDR shared, uint32_t n) {
  auto* numbers = reinterpret_cast<__gm__ uint32_t*>(shared);
  for (uint32_t i = GetBlockIdx(); i < n; i += GetBlockNum()) {
    numbers[i] = number_at(i);
  }
}
CANOPY_KERNEL(store_numbers)

namespace {

// Another card than the exporter's where there is one.
int own_device() {
  uint32_t npus = 0;
  check(aclrtGetDeviceCount(&npus), "aclrtGetDeviceCount");
  return npus > 1 ? 1 : 0;
}

void* import_memory(const Keys& keys) {
  void* memory = nullptr;
  const auto start = std::chrono::steady_clock::now();
  check(aclrtIpcMemImportByKey(&memory, keys.memory, ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS),
        "aclrtIpcMemImportByKey");
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  std::printf("importer: key %s: imported in %.0f us\n", keys.memory, took.count());
  return memory;
}

}  // namespace

int run_importer(Line& line, const Options& options) {
  check(aclInit(nullptr), "aclInit");
  const int device = own_device();
  check(aclrtSetDevice(device), "aclrtSetDevice");
  Hello hello = {};
  check(aclrtDeviceGetBareTgid(&hello.pid), "aclrtDeviceGetBareTgid");
  line.say(hello);

  const Keys keys = line.hear<Keys>();
  void* memory = import_memory(keys);
  aclrtNotify notify = nullptr;
  check(aclrtNotifyImportByKey(&notify, keys.notify, ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS),
        "aclrtNotifyImportByKey");
  if (options.importer_dies) {
    std::printf("importer: dies now\n");
    std::fflush(stdout);
    raise(SIGKILL);
  }

  aclrtStream stream = nullptr;
  check(aclrtCreateStream(&stream), "aclrtCreateStream");
  check(canopy::launch(store_numbers, 8, stream, static_cast<GM_ADDR>(memory), keys.n),
        "launching store_numbers");
  check(aclrtRecordNotify(notify, stream), "aclrtRecordNotify");
  std::printf("importer: NPU %d's kernel stores %u numbers at %p\n", device, keys.n, memory);
  line.say(Stored{inode_at(memory), memory});
  check(aclrtSynchronizeStream(stream), "aclrtSynchronizeStream");

  line.hear<Done>();
  check(aclrtIpcMemClose(keys.memory), "aclrtIpcMemClose");
  check(aclrtDestroyNotify(notify), "aclrtDestroyNotify");
  line.say(Done{});
  check(aclrtDestroyStream(stream), "aclrtDestroyStream");
  check(aclrtResetDevice(device), "aclrtResetDevice");
  check(aclFinalize(), "aclFinalize");
  return 0;
}
