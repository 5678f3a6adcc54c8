#include "shmem/world/far_paths.h"

#include "shmem/world/hot.h"

#include <algorithm>
#include <atomic>

namespace canopy::shmem {

FarPaths::FarPaths(World& world, int n_pes)
    : ways_(static_cast<size_t>(n_pes)), requests_(world, *this) {
  // Relaxed: collective calls order it with those who look.
  std::atomic_ref<uint32_t>(hot_detail::far_worlds).fetch_add(1, std::memory_order_relaxed);
}

FarPaths::~FarPaths() {
  std::atomic_ref<uint32_t>(hot_detail::far_worlds).fetch_sub(1, std::memory_order_relaxed);
}

void FarPaths::set_layout(uint64_t host_bytes, uint64_t device_offset, uint64_t device_bytes) {
  host_bytes_ = host_bytes;
  device_offset_ = device_offset;
  device_bytes_ = device_bytes;
}

transport::Transport& FarPaths::add(std::unique_ptr<transport::Transport> transport) {
  transports_.push_back(std::move(transport));
  return *transports_.back();
}

void FarPaths::set_way(int pe, transport::Transport& transport) {
  ways_[static_cast<size_t>(pe)] = &transport;
}

std::optional<transport::Target> FarPaths::locate(int pe, uint64_t offset, uint64_t nbytes) const {
  if (offset < host_bytes_ && nbytes <= host_bytes_ - offset) {
    return transport::Target{pe, kHostHeap, offset};
  }
  const uint64_t in_device = offset - device_offset_;  // wraps below it, to what is too large
  if (in_device < device_bytes_ && nbytes <= device_bytes_ - in_device) {
    return transport::Target{pe, kDeviceHeap, in_device};
  }
  return std::nullopt;
}

int FarPaths::progress() {
  requests_.drain();
  int moved = 0;
  for (const auto& transport : transports_) {
    moved += transport->progress();
  }
  return moved;
}

void FarPaths::rest() {
  for (const auto& transport : transports_) {
    transport->rest();
  }
}

bool FarPaths::hears() {
  return std::any_of(transports_.begin(), transports_.end(),
                     [](const auto& transport) { return transport->hears(); });
}

void FarPaths::fence() {
  for (const auto& transport : transports_) {
    transport->fence();
  }
}

}  // namespace canopy::shmem
