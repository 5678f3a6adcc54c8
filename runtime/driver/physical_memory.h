// PhysicalMemory: one allocation of a device's HBM (or of pinned host memory): a sealed memfd, counted
// against the device's capacity in the host table for as long as the object lives. Move-only.
//
// Pages exist from the first touch on, so a size that the host does not have would be granted, and the process be killed
// later. Memory of the host is counted as well: what one process has of it together is at most what there is.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstdint>
#include <memory>
#include <string>

namespace canopy {

class HostTable;

inline constexpr uint64_t kGranule = 2u << 20;  // 2 MiB
inline constexpr int kHostMemory = -1;          // in place of a device id: pinned host memory

// All that this host has, in bytes.
uint64_t host_memory_bytes();

// "device 3", "pinned host memory": for sentences.
std::string memory_of(int device);

class PhysicalMemory {
 public:
  PhysicalMemory() = default;
  PhysicalMemory(PhysicalMemory&& other) noexcept;
  PhysicalMemory& operator=(PhysicalMemory&& other) noexcept;
  ~PhysicalMemory() { reset(); }

  // `bytes` is rounded up to granules. `device` may be kHostMemory: its capacity is what the host has.
  static Result<PhysicalMemory> allocate(HostTable& table, int device, uint64_t bytes, uint64_t capacity);

  const UniqueFd& fd() const { return *fd_; }
  // The same descriptor for those who hand the memory to other processes: no further one is needed.
  const std::shared_ptr<const UniqueFd>& shared_fd() const { return fd_; }
  uint64_t bytes() const { return bytes_; }
  int device() const { return device_; }
  explicit operator bool() const { return fd_ != nullptr; }
  void reset();

 private:
  Result<> count(HostTable& table, uint64_t bytes, uint64_t capacity);
  std::shared_ptr<const UniqueFd> fd_;  // null: no memory
  uint64_t bytes_ = 0;  // counted
  int device_ = kHostMemory;
  HostTable* table_ = nullptr;
};

}  // namespace canopy
