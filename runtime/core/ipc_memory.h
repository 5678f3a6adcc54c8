// IpcMemory: device memory of aclrtMalloc in the hands of other processes, by keys that are text.
//
// An export hands out a part of an allocation's file; small allocations lie in slabs of 2 MiB, whose file it is then.
// The memory itself lives, and counts as used by the exporter, until it was freed there and every importer has
// closed it. A key is imported once per process: further imports count, and have the same address.
//
// Thread-safe: one mutex, not held while another process is asked or memory is unmapped.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/memory_object.h"
#include "runtime/driver/shared_key.h"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace canopy {

class Driver;
class Runtime;

class IpcMemory {
 public:

  explicit IpcMemory(Runtime& runtime) : runtime_(runtime) {}

  // A new key for [address, +bytes). Errors: misaligned; invalid_argument: not all in one live allocation of
  // aclrtMalloc; not_supported: other processes cannot see this one.
  Result<std::string> export_key(const void* address, uint64_t bytes, bool listed_only);
  // More processes that may import a key of this process.
  Result<> allow(std::string_view key, std::span<const int32_t> pids);
  // Errc::invalid_argument: no key that this process has exported.
  Result<> check_exported(std::string_view key);
  // The address of what another process has exported. Errors: those of MemoryObject::import(); not_supported: the link
  // between the memory's device and the thread's refuses it.
  Result<void*> import(std::string_view key, bool enable_peer_access);
  // Ends one import, or the export. Errc::invalid_argument: this process has neither exported nor imported it.
  Result<> close(std::string_view key);

  // ---- For the rest of the runtime.

  // The allocation that `address` lies in is about to be freed: it is shared with nobody any more.
  void before_free(const void* address);
  // Ends the exports of a device's memory, and the imports that no other device has made as well.
  void close_device(int device);

 private:
  struct Exported {
    std::byte* address;
    uint64_t id;   // 0: the memory was freed
    int device;
  };
  struct Imported {
    std::shared_ptr<const MemoryObject> object;
    void* address;
    uint64_t count;
    uint64_t users;  // bit d: imported by threads of device d; goes with the last of them
  };
  using Exports = std::map<std::string, Exported, std::less<>>;
  using Imports = std::map<std::string, Imported, std::less<>>;

  Result<> enter(Driver& driver, int owner, int user, bool enable_peer_access);
  // REQUIRES: mutex_ held. Its memory is freed, or it is closed.
  void forget_address(const Exported& exported);
  // Unmaps; when it returns, nobody finds the address any more.
  void let_go(void* address);

  Runtime& runtime_;
  std::atomic<bool> any_exports_{false};  // ever; a free costs nothing more until then
  std::mutex mutex_;                      // guards all below
  Exports exports_;                       // by key; one stays until it is closed, also when its memory has been freed
  std::unordered_multimap<const void*, Exported*> live_exports_;  // by address: those whose memory is there
  Imports imports_;                       // by key
};

}  // namespace canopy
