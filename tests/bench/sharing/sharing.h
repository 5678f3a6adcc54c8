// What the benchmarks of two processes share: memory and notifies in the hands of the other
// process.
#pragma once

#include "tests/bench/device/bench.h"
#include "tests/bench/support/pair.h"

namespace canopy::bench {

// A key as text; both kinds are shorter than this.
struct Key {
  char text[65] = {};
};

// Memory of 64 MiB on the current device, for the process that asks for it over `line`.
inline constexpr size_t kShared = size_t{64} << 20;

// Any process of this user may import: who is on the list is not what is measured.
inline Key export_memory(void* memory, size_t bytes) {
  Key key;
  must(aclrtIpcMemGetExportKey(memory, bytes, key.text, sizeof key.text,
                               ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION),
       "aclrtIpcMemGetExportKey");
  return key;
}

inline void* import_memory(const Key& key) {
  void* memory = nullptr;
  must(aclrtIpcMemImportByKey(&memory, key.text, ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS),
       "aclrtIpcMemImportByKey");
  return memory;
}

// Two ends of one notify: the process that made it waits, the other records.
class OwnNotify {
 public:
  OwnNotify() { must(aclrtCreateNotify(&notify_, ACL_NOTIFY_DEFAULT), "aclrtCreateNotify"); }
  ~OwnNotify() { must(aclrtDestroyNotify(notify_), "aclrtDestroyNotify"); }
  OwnNotify(const OwnNotify&) = delete;
  OwnNotify& operator=(const OwnNotify&) = delete;
  Key key() const {
    Key key;
    must(aclrtNotifyGetExportKey(notify_, key.text, sizeof key.text,
                                 ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION),
         "aclrtNotifyGetExportKey");
    return key;
  }
  void wait(const Stream& stream) {
    must(aclrtWaitAndResetNotify(notify_, stream, 0), "aclrtWaitAndResetNotify");
  }

 private:
  aclrtNotify notify_ = nullptr;
};

class PeerNotify {
 public:
  explicit PeerNotify(const Key& key) {
    must(aclrtNotifyImportByKey(&notify_, key.text, ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS),
         "aclrtNotifyImportByKey");
  }
  ~PeerNotify() { must(aclrtDestroyNotify(notify_), "aclrtDestroyNotify"); }
  PeerNotify(const PeerNotify&) = delete;
  PeerNotify& operator=(const PeerNotify&) = delete;
  void record(const Stream& stream) {
    must(aclrtRecordNotify(notify_, stream), "aclrtRecordNotify");
  }

 private:
  aclrtNotify notify_ = nullptr;
};

void ipc_import_us(double ns_per_tick);
void p2p_copy(double ns_per_tick);
void ipc_notify_us(double ns_per_tick);
void ipc_notify_asleep_us(double ns_per_tick);
void smi_ms(double ns_per_tick);

}  // namespace canopy::bench
