#include "transport/ofi/registry.h"

namespace canopy::transport::ofi {

const LocalRegion* Registry::region(RegionId id) const {
  const auto found = regions_.find(id);
  return found == regions_.end() ? nullptr : &found->second;
}

Result<> Registry::add_region(RegionId id, LocalRegion region) {
  const auto [at, added] = regions_.emplace(id, std::move(region));
  if (!added) {
    return fail(Errc::invalid_argument, "ofi: region {} is registered already", id);
  }
  if (at->second.stays) {
    staying_.push_back(&at->second);
  }
  return {};
}

Result<LocalRegion> Registry::take_region(RegionId id) {
  const auto found = regions_.find(id);
  if (found == regions_.end() || found->second.stays) {
    return fail(Errc::not_found, "ofi: region {} is not offered", id);
  }
  LocalRegion region = std::move(found->second);
  regions_.erase(found);
  return region;
}

void* Registry::descriptor_of(const void* at, size_t nbytes) const {
  for (const LocalRegion* region : staying_) {
    // One compare each: an address below the region wraps to a huge number.
    const size_t offset =
        reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(region->memory.data());
    if (offset <= region->memory.size() && nbytes <= region->memory.size() - offset) {
      return region->registration.descriptor();
    }
  }
  return nullptr;
}

const RemotePeer* Registry::peer(int number) const {
  const auto index = static_cast<size_t>(number);
  return number >= 0 && index < peers_.size() && peers_[index].connected ? &peers_[index] : nullptr;
}

RemotePeer& Registry::add_peer(int number) {
  const auto index = static_cast<size_t>(number);
  while (peers_.size() <= index) {
    peers_.emplace_back();
  }
  return peers_[index];
}

void Registry::lose(int peer, Errc code, std::string_view sentence) {
  {
    std::lock_guard lock(mutex_);
    if (!lost_.emplace(peer, Loss{code, std::string(sentence)}).second) {
      return;
    }
  }
  // Release: pairs with losses().
  losses_.fetch_add(1, std::memory_order_release);
  if (error) {
    error(peer, code, sentence);
  }
}

bool Registry::lost(int peer) const { return loss_code(peer) != Errc::ok; }

Errc Registry::loss_code(int peer) const {
  if (losses() == 0) [[likely]] {
    return Errc::ok;
  }
  std::lock_guard lock(mutex_);
  const auto found = lost_.find(peer);
  return found == lost_.end() ? Errc::ok : found->second.code;
}

std::string Registry::trouble(int peer) const {
  std::lock_guard lock(mutex_);
  const auto found = lost_.find(peer);
  return found == lost_.end() ? std::string() : found->second.sentence;
}

}  // namespace canopy::transport::ofi
