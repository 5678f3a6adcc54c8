#include "runtime/driver/physical_memory.h"

#include "runtime/base/mapping.h"
#include "runtime/driver/host_table.h"

#include <unistd.h>

#include <atomic>
#include <utility>

namespace canopy {

namespace {

// Of this process. Relaxed: a sum that orders nothing.
std::atomic<uint64_t> host_bytes_in_use{0};

Result<> count_host_bytes(uint64_t bytes) {
  const uint64_t most = host_memory_bytes();
  uint64_t used = host_bytes_in_use.load(std::memory_order_relaxed);
  do {
    if (used > most || bytes > most - used) {
      return fail(Errc::no_memory, "{}: {} bytes wanted; this process has {} of the {} bytes that the host has",
                  memory_of(kHostMemory), bytes, used, most);
    }
  } while (!host_bytes_in_use.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return {};
}

}  // namespace

uint64_t host_memory_bytes() {
  static const uint64_t all = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page_size();
  return all;
}

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
  memory.device_ = device;
  CANOPY_TRY(memory.count(table, (bytes + kGranule - 1) / kGranule * kGranule, capacity));
  CANOPY_ASSIGN(UniqueFd fd, sealed_memfd(device == kHostMemory ? "canopy-host" : "canopy-hbm", memory.bytes_));
  memory.fd_ = std::make_shared<const UniqueFd>(std::move(fd));
  return memory;
}

Result<> PhysicalMemory::count(HostTable& table, uint64_t bytes, uint64_t capacity) {
  CANOPY_TRY(device_ == kHostMemory ? count_host_bytes(bytes) : table.reserve(device_, bytes, capacity));
  table_ = &table;
  bytes_ = bytes;  // from here on the destructor takes it back
  return {};
}

void PhysicalMemory::reset() {
  fd_.reset();
  const uint64_t counted = std::exchange(bytes_, 0);
  if (counted != 0 && device_ == kHostMemory) {
    host_bytes_in_use.fetch_sub(counted, std::memory_order_relaxed);
  } else if (counted != 0) {
    table_->release(device_, counted);
  }
}

}  // namespace canopy
