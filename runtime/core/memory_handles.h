// MemoryHandles: physical memory as the C API names it, apart from any address; and in the hands of other processes.
//
// A handle counts its references, and holds a MemoryObject together with everything that is mapped from it: the memory
// lives until the handle was freed, all of it is unmapped, and every other process has done the same. Two handles never
// name one object.
//
// Thread-safe: one mutex, not held while another process is asked or memory ends.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/driver/memory_object.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace canopy {

class Driver;
class Runtime;

// What the program asked for, and is told again.
struct PhysicalRequest {
  uint64_t bytes = 0;
  int device = kHostMemory;
  PageKind pages = PageKind::huge;
  int attribute = -1;  // the interface's number for the kind of memory; -1: not known here
  int numa_node = -1;  // of memory of the host; kept and told, nothing else; -1: any
};

class MemoryHandles {
 public:
  explicit MemoryHandles(Runtime& runtime) : runtime_(runtime) {}

  // In bytes: what sizes are multiples of.
  static uint64_t granularity(PageKind pages);
  // Errors: invalid_argument: a size that is no multiple; no_memory; bad_device.
  Result<void*> create(const PhysicalRequest& request);
  // One reference. Errc::stale_handle (all below): no live handle.
  Result<> release(void* handle);
  // One more reference to what is mapped around `address`; a new handle if its own was freed.
  Result<void*> retain(const void* address);
  Result<PhysicalRequest> properties(void* handle);
  Result<std::shared_ptr<MemoryObject>> object(void* handle);

  // ---- In other processes.

  // A number that every process of this host understands. Errors: MemoryObject::share().
  Result<uint64_t> share(void* handle, bool listed_only);
  // Errc::invalid_argument: this process has not shared it; stale_handle: the memory is gone.
  Result<> allow(uint64_t id, std::span<const int32_t> pids);
  // For `user`, a device of this process. Errors: those of MemoryObject::import(); not_supported: its link to the
  // memory's device refuses it.
  Result<void*> import(uint64_t id, int user);
  // The same with names that other hosts understand. not_supported: the memory lies on another host, and nothing here
  // can reach that.
  Result<FabricHandle> share_fabric(void* handle, bool listed_only);
  Result<void*> import_fabric(const FabricHandle& fabric, int user);

  // The handles of a device are dead, and what is mapped from them is unmapped.
  void close_device(int device);

 private:
  struct Handle {
    std::shared_ptr<MemoryObject> object;
    PhysicalRequest request;
    uint64_t references = 1;
  };
  // One more reference, if the object has a handle.
  // REQUIRES: mutex_ held.
  void note_shared(uint64_t id, const std::shared_ptr<MemoryObject>& object);
  void forget_expired();
  Result<void*> insert(std::shared_ptr<MemoryObject> object, const PhysicalRequest& request);
  // REQUIRES: mutex_ held.
  Result<Handle*> find(void* handle);

  Runtime& runtime_;
  std::mutex mutex_;  // guards all below
  HandleTable<Handle> handles_{26};
  std::map<const MemoryObject*, void*> by_object_;
  std::map<uint64_t, std::weak_ptr<MemoryObject>> shared_;  // by number
  size_t shared_after_sweep_ = 0;
};

}  // namespace canopy
