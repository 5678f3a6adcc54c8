// RemoteMemory: memory of other hosts' processes, which only copies reach. The driver's slot for it is filled by whoever
// can move bytes between hosts; while it is empty, memory cannot be shared with other hosts.
//
// All calls may come from any thread, executors too, and may wait for the other side: there must be a limit to that.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/fabric_handle.h"
#include "runtime/driver/physical_memory.h"

#include <cstdint>
#include <memory>

namespace canopy {

// Some memory of another host. The other process keeps it for as long as this object lives, or this process does.
class RemoteRegion {
 public:
  virtual ~RemoteRegion() = default;
  // Complete on return. REQUIRES: inside of the memory. Errors: peer_lost: its process is gone, or gave it up.
  virtual Result<> read(uint64_t offset, void* dst, uint64_t bytes) = 0;
  virtual Result<> write(uint64_t offset, const void* src, uint64_t bytes) = 0;
};

class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;
  // Lets other hosts reach `memory` until the result goes; `handle.where` is what they need for that.
  virtual Result<std::shared_ptr<void>> expose(std::shared_ptr<PhysicalMemory> memory, FabricHandle& handle) = 0;
  virtual Result<std::unique_ptr<RemoteRegion>> open(const FabricHandle& handle) = 0;
};

}  // namespace canopy
