// The process that owns the memory. Its stream waits for the importer's notify, and the kernel
// behind that wait looks at what the importer's kernel has stored: no copy, and no host in between.
#include "side.h"

#include "canopy/kernel.h"

#include <signal.h>

#include <cstdio>
#include <vector>

// Each block counts the right numbers of its share.
__global__ __aicore__ void count_right(GM_ADDR shared, GM_ADDR counts, uint32_t n) {
  const auto* numbers = reinterpret_cast<__gm__ const uint32_t*>(shared);
  uint32_t right = 0;
  for (uint32_t i = GetBlockIdx(); i < n; i += GetBlockNum()) {
    right += numbers[i] == number_at(i) ? 1 : 0;
  }
  reinterpret_cast<__gm__ uint32_t*>(counts)[GetBlockIdx()] = right;
}
CANOPY_KERNEL(count_right)

namespace {

constexpr uint32_t kBlocks = 8;
constexpr uint32_t n = 1 << 20;  // 4 MiB
constexpr size_t nbytes = n * sizeof(uint32_t);

struct Shared {
  void* memory = nullptr;
  aclrtNotify notify = nullptr;
  Keys keys = {};
};

// Memory and a notify, both with a key. Only processes that the exporter lists can use a key.
Shared share() {
  Shared shared;
  check(aclrtMalloc(&shared.memory, nbytes, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  check(aclrtMemset(shared.memory, nbytes, 0, nbytes), "aclrtMemset");
  check(aclrtCreateNotify(&shared.notify, ACL_NOTIFY_DEFAULT), "aclrtCreateNotify");
  Keys& keys = shared.keys;
  keys.n = n;
  check(aclrtIpcMemGetExportKey(shared.memory, nbytes, keys.memory, sizeof keys.memory,
                                ACL_RT_IPC_MEM_EXPORT_FLAG_DEFAULT),
        "aclrtIpcMemGetExportKey");
  check(aclrtNotifyGetExportKey(shared.notify, keys.notify, sizeof keys.notify,
                                ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT),
        "aclrtNotifyGetExportKey");
  return shared;
}

void admit(const Shared& shared, int32_t pid) {
  check(aclrtIpcMemSetImportPid(shared.keys.memory, &pid, 1), "aclrtIpcMemSetImportPid");
  check(aclrtNotifySetImportPid(shared.notify, &pid, 1), "aclrtNotifySetImportPid");
}

// The importer died before it recorded the notify. The runtime ends a wait whose last importer has
// vanished; where it died before it had imported anything, nobody could know, and the stream is
// told to drop the wait. What lies in the memory stays ours in both cases.
int go_on_alone(aclrtStream stream) {
  constexpr int32_t kPatienceMs = 500;
  const aclError code = aclrtSynchronizeStreamWithTimeout(stream, kPatienceMs);
  require(code != ACL_SUCCESS, "the stream waits for a notify that cannot come");
  std::printf("exporter: the importer is gone; the stream that waits for it ends with %d\n", code);
  if (code == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
    check(aclrtStreamAbort(stream), "aclrtStreamAbort");
  }
  return 1;
}

}  // namespace

int run_exporter(Line& line, const Options& options) {
  check(aclInit(nullptr), "aclInit");
  check(aclrtSetDevice(0), "aclrtSetDevice(0)");
  Shared shared = share();
  admit(shared, line.hear<Hello>().pid);

  // Queued before the importer has even begun: the stream waits, not the host.
  aclrtStream stream = nullptr;
  void* counts = nullptr;
  check(aclrtCreateStream(&stream), "aclrtCreateStream");
  check(aclrtMalloc(&counts, kBlocks * sizeof(uint32_t), ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  check(aclrtWaitAndResetNotify(shared.notify, stream, 0), "aclrtWaitAndResetNotify");
  check(canopy::launch(count_right, kBlocks, stream, static_cast<GM_ADDR>(shared.memory),
                       static_cast<GM_ADDR>(counts), n),
        "launching count_right");
  line.say(shared.keys);
  if (options.exporter_dies) {
    std::printf("exporter: dies now\n");
    std::fflush(stdout);
    raise(SIGKILL);
  }

  Stored stored = {};
  if (!line.hear_if_alive(stored)) {
    return go_on_alone(stream);
  }
  check(aclrtSynchronizeStream(stream), "aclrtSynchronizeStream");
  std::vector<uint32_t> right(kBlocks);
  check(aclrtMemcpy(right.data(), kBlocks * sizeof(uint32_t), counts, kBlocks * sizeof(uint32_t),
                    ACL_MEMCPY_DEVICE_TO_HOST),
        "aclrtMemcpy");
  uint32_t all_right = 0;
  for (const uint32_t of_block : right) {
    all_right += of_block;
  }
  const uint64_t inode = inode_at(shared.memory);
  std::printf(
      "exporter: NPU 0's kernel found %u of %u numbers right, stored by the other process\n",
      all_right, n);
  std::printf("exporter: the memory is inode %llu here, at %p, and inode %llu there, at %p: %s\n",
              static_cast<unsigned long long>(inode), shared.memory,
              static_cast<unsigned long long>(stored.inode), stored.address,
              inode == stored.inode ? "nothing was copied" : "TWO FILES");
  require(all_right == n && inode == stored.inode, "the two processes share one memory");

  line.say(Done{});
  line.hear<Done>();  // importers close first
  check(aclrtIpcMemClose(shared.keys.memory), "aclrtIpcMemClose");
  check(aclrtDestroyNotify(shared.notify), "aclrtDestroyNotify");
  check(aclrtFree(counts), "aclrtFree");
  check(aclrtFree(shared.memory), "aclrtFree");
  check(aclrtDestroyStream(stream), "aclrtDestroyStream");
  check(aclrtResetDevice(0), "aclrtResetDevice");
  check(aclFinalize(), "aclFinalize");
  return 0;
}
