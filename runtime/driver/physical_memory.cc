#include "runtime/driver/physical_memory.h"

#include "runtime/base/mapping.h"
#include "runtime/driver/host_table.h"

#include <utility>

namespace canopy {

std::string memory_of(int device) {
  return device == kHostMemory ? std::string("pinned host memory") : fmt::format("device {}", device);
}

PhysicalMemory::PhysicalMemory(PhysicalMemory&& other) noexcept
    : fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, 0)), device_(other.device_),
      table_(std::exchange(other.table_, nullptr)) {}

PhysicalMemory& PhysicalMemory::operator=(PhysicalMemory&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::move(other.fd_);
    bytes_ = std::exchange(other.bytes_, 0);
    device_ = other.device_;
    table_ = std::exchange(other.table_, nullptr);
  }
  return *this;
}

Result<PhysicalMemory> PhysicalMemory::allocate(HostTable& table, int device, uint64_t bytes,
                                                uint64_t capacity) {
  if (bytes == 0) {
    return fail(Errc::invalid_argument, "{}: cannot allocate 0 bytes", memory_of(device));
  }
  // Beyond any address space; kept apart so that rounding up cannot wrap.
  if (bytes > uint64_t{1} << 48) {
    return fail(Errc::no_memory, "{}: {} bytes wanted, {} in all", memory_of(device), bytes, capacity);
  }
  PhysicalMemory memory;
  memory.bytes_ = (bytes + kGranule - 1) / kGranule * kGranule;
  memory.device_ = device;
  if (device != kHostMemory) {
    CANOPY_TRY(table.reserve(device, memory.bytes_, capacity));
    memory.table_ = &table;  // from here on the destructor gives the reservation back
  }
  CANOPY_ASSIGN(UniqueFd fd, sealed_memfd(device == kHostMemory ? "canopy-host" : "canopy-hbm", memory.bytes_));
  memory.fd_ = std::make_shared<const UniqueFd>(std::move(fd));
  return memory;
}

void PhysicalMemory::reset() {
  fd_.reset();
  if (table_ != nullptr) {
    table_->release(device_, bytes_);
    table_ = nullptr;
  }
  bytes_ = 0;
}

}  // namespace canopy
