// PhysicalMemory: one allocation of a device's HBM (or of pinned host memory): a sealed memfd, counted
// against the device's capacity in the host table for as long as the object lives. Move-only.
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

// "device 3", "pinned host memory": for sentences.
std::string memory_of(int device);

class PhysicalMemory {
 public:
  PhysicalMemory() = default;
  PhysicalMemory(PhysicalMemory&& other) noexcept;
  PhysicalMemory& operator=(PhysicalMemory&& other) noexcept;
  ~PhysicalMemory() { reset(); }

  // `bytes` is rounded up to granules. `device` may be kHostMemory: then nothing is counted.
  static Result<PhysicalMemory> allocate(HostTable& table, int device, uint64_t bytes, uint64_t capacity);

  const UniqueFd& fd() const { return *fd_; }
  // The same descriptor for those who hand the memory to other processes: no further one is needed.
  const std::shared_ptr<const UniqueFd>& shared_fd() const { return fd_; }
  uint64_t bytes() const { return bytes_; }
  int device() const { return device_; }
  explicit operator bool() const { return fd_ != nullptr; }
  void reset();

 private:
  std::shared_ptr<const UniqueFd> fd_;  // null: no memory
  uint64_t bytes_ = 0;
  int device_ = kHostMemory;
  HostTable* table_ = nullptr;
};

}  // namespace canopy
