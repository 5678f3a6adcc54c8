// Device and pinned memory as the C API hands it out and asks about it.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/copy_check.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/memory_object.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace canopy {

class Driver;
class Runtime;

// What the forms of aclrtMalloc differ in.
struct DeviceRequest {
  uint64_t bytes = 0;
  PageKind pages = PageKind::normal;
  bool padded = true;  // devices count steps of 32 bytes, and most forms one step more
  int device = -1;     // -1: the thread's
};

// Errc::no_memory when the device is full even after its pools have given back what they can.
Result<void*> allocate_device(Runtime& runtime, const DeviceRequest& request);
// Device or managed memory, at once. Errc::invalid_argument: not the start of a live allocation.
Result<> free_device(Runtime& runtime, void* address);
Result<void*> allocate_pinned(Runtime& runtime, size_t bytes);
Result<> free_pinned(Runtime& runtime, void* address);
// free(runtime, address) after the current context's streams have drained; not when they do not in
// time. A task's failure found on the way is returned after freeing.
Result<> free_after_sync(Runtime& runtime, Result<> (*free)(Runtime&, void*), void* address);

// The live allocation that `address` lies in; nothing for memory that is not ours.
Result<std::optional<MemoryRange>> find_allocation(Runtime& runtime, const void* address,
                                                   LookUp when = LookUp::queued);
// Errc::not_supported: it lies on another host, where only copies get.
Result<> check_on_this_host(const MemoryRange& range, const char* what, const void* address);
// Errc::peer_lost: the process whose memory it is has gone; no_permission: nobody may touch it like that.
Result<> check_there(const MemoryRange& range, const char* what, const void* address, Access wanted);
// The same as find_allocation(), but all host memory that is registered with devices counts as pinned.
Result<std::optional<MemoryRange>> pointer_range(Runtime& runtime, const void* address);
// All of [address, +bytes) in one live allocation of device or managed memory.
Result<MemoryRange> device_range(Runtime& runtime, const char* what, const void* address,
                                 uint64_t bytes, LookUp when = LookUp::queued, Access wanted = Access::read);

// Errc::not_supported: the link between the two devices refuses all use. `owner` may be kHostMemory.
Result<> check_link(const Driver& driver, int owner, int user);
// What another process shares, for `user`; tasks in queues look again when that process vanishes.
Result<std::shared_ptr<MemoryObject>> import_memory(Runtime& runtime, Driver& driver, const SharedKey& key, int user);

// Bytes that this process holds of a device, by what it holds them for.
struct MemoryUse {
  const char* component;
  uint64_t bytes;
  uint64_t peak;
};
inline constexpr size_t kMemoryComponents = 2;
// Largest first; writes at most `limit`, returns how many.
Result<size_t> memory_use(Runtime& runtime, int device, MemoryUse* out, size_t limit);

}  // namespace canopy
