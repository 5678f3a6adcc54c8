#include "transport/base/direct_transport.h"

#include "transport/base/direct_memory.h"

namespace canopy::transport {

DirectTransport::DirectTransport(std::string_view name)
    : capabilities_{.name = name, .direct = true, .amo_with_cpu = true} {}

Result<std::string> DirectTransport::register_region(RegionId id, std::span<std::byte> memory) {
  if (!regions_.emplace(id, memory).second) {
    return fail(Errc::invalid_argument, "{}: region {} is registered already", capabilities_.name,
                id);
  }
  return std::string();
}

std::span<std::byte> DirectTransport::local_region(RegionId id) const {
  if (const auto found = regions_.find(id); found != regions_.end()) {
    return found->second;
  }
  std::lock_guard lock(mutex_);
  const auto found = offered_.find(id);
  return found == offered_.end() ? std::span<std::byte>() : found->second;
}

Result<std::string> DirectTransport::offer_region(RegionId id, std::span<std::byte> memory) {
  std::lock_guard lock(mutex_);
  if (id >= kMostRegions || regions_.contains(id) || !offered_.emplace(id, memory).second) {
    return fail(Errc::invalid_argument, "{}: region {} is in use, or not below {}",
                capabilities_.name, id, kMostRegions);
  }
  return std::string();
}

Result<> DirectTransport::withdraw_region(RegionId id) {
  std::lock_guard lock(mutex_);
  if (offered_.erase(id) == 0) {
    return fail(Errc::not_found, "{}: region {} is not offered", capabilities_.name, id);
  }
  return {};
}

bool DirectTransport::is_connected(int peer) const {
  const auto index = static_cast<size_t>(peer);
  return peer >= 0 && index < windows_.size() && !windows_[index].empty();
}

Result<> DirectTransport::open_region(int peer, const PeerRegion& region) {
  if (!is_connected(peer)) {
    return fail(Errc::not_found, "{}: there is no peer {} here", capabilities_.name, peer);
  }
  CANOPY_ASSIGN(const std::span<std::byte> memory, place_of(peer, region));
  const bool stays = direct(peer, region.id).has_value();
  std::lock_guard lock(mutex_);
  if (region.id >= kMostRegions || stays ||
      !opened_.emplace(std::pair(peer, region.id), Opened{memory, 0}).second) {
    return fail(Errc::invalid_argument, "{}: region {} of peer {} is open already, or not below {}",
                capabilities_.name, region.id, peer, kMostRegions);
  }
  return {};
}

// A post is complete when it returns: none in there means that all is complete.
Result<> DirectTransport::close_region(int peer, RegionId id, Ticket* done) {
  {
    std::lock_guard lock(mutex_);
    const auto found = opened_.find({peer, id});
    if (found == opened_.end()) {
      return fail(Errc::not_found, "{}: region {} of peer {} is not open", capabilities_.name, id,
                  peer);
    }
    if (found->second.users != 0) {
      return tl::unexpected(Error{Errc::again, 0, std::source_location::current()});
    }
    opened_.erase(found);
  }
  settle(done, Errc::ok);
  return {};
}

DirectTransport::Opened* DirectTransport::enter(int peer, RegionId region) const {
  std::lock_guard lock(mutex_);
  const auto found = opened_.find({peer, region});
  if (found == opened_.end()) {
    return nullptr;
  }
  ++found->second.users;
  return &found->second;
}

void DirectTransport::leave(Opened& opened) const {
  std::lock_guard lock(mutex_);
  --opened.users;
}

void DirectTransport::add_window(int peer, RegionId region, std::span<std::byte> memory) {
  const auto index = static_cast<size_t>(peer);
  if (windows_.size() <= index) {
    windows_.resize(index + 1);
  }
  auto& regions = windows_[index];
  if (regions.size() <= region) {
    regions.resize(region + 1);
  }
  regions[region] = memory;
}

std::optional<std::byte*> DirectTransport::direct(int peer, RegionId region) const {
  const auto index = static_cast<size_t>(peer);
  if (peer < 0 || index >= windows_.size() || region >= windows_[index].size() ||
      windows_[index][region].empty()) {
    return std::nullopt;
  }
  return windows_[index][region].data();
}

Result<DirectTransport::Place> DirectTransport::resolve(const Target& target, size_t nbytes,
                                                        size_t alignment) const {
  const bool stays = direct(target.peer, target.region).has_value();
  Place place(*this, nullptr, stays ? nullptr : enter(target.peer, target.region));
  const std::span<std::byte> memory =
      stays ? windows_[static_cast<size_t>(target.peer)][target.region] : place.memory();
  if (memory.empty()) {
    return fail(Errc::not_found, "{}: peer {} has no region {} here", capabilities_.name,
                target.peer, target.region);
  }
  const uint64_t bytes = memory.size();
  if (target.offset > bytes || nbytes > bytes - target.offset) {
    return fail(Errc::out_of_range,
                "{}: peer {} region {}: {} bytes at offset {} leave its {} bytes",
                capabilities_.name, target.peer, target.region, nbytes, target.offset, bytes);
  }
  place.at = memory.data() + target.offset;
  if (reinterpret_cast<uintptr_t>(place.at) % alignment != 0) {
    return fail(Errc::misaligned, "{}: peer {} region {}: offset {} is not a multiple of {}",
                capabilities_.name, target.peer, target.region, target.offset, alignment);
  }
  return place;
}

Result<> DirectTransport::post_put(const Target& to, const void* src, size_t nbytes,
                                   Ticket* source_done) {
  CANOPY_ASSIGN(const Place place, resolve(to, nbytes, 1));
  copy_bytes(place.at, src, nbytes);
  settle(source_done, Errc::ok);
  return {};
}

Result<> DirectTransport::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(const Place place, resolve(from, nbytes, 1));
  copy_bytes(dst, place.at, nbytes);
  settle(done, Errc::ok);
  return {};
}

Result<> DirectTransport::post_amo(const Target& at, const Amo& operation, uint64_t* old,
                                   Ticket* done) {
  if (operation.width != 4 && operation.width != 8) {
    return fail(Errc::invalid_argument, "{}: an amo has 4 or 8 bytes, not {}", capabilities_.name,
                operation.width);
  }
  CANOPY_ASSIGN(const Place place, resolve(at, operation.width, operation.width));
  const uint64_t before = direct::amo(place.at, operation);
  if (old != nullptr) {
    *old = before;
  }
  settle(done, Errc::ok);
  return {};
}

Result<> DirectTransport::signal(const Target& at, const Signal& update) {
  if (update.width != 4 && update.width != 8) {
    return fail(Errc::invalid_argument, "{}: a signal has 4 or 8 bytes, not {}", capabilities_.name,
                update.width);
  }
  CANOPY_ASSIGN(const Place place, resolve(at, update.width, update.width));
  direct::signal(place.at, update);
  return {};
}

void DirectTransport::fence() { direct::fence(); }

Result<> DirectTransport::post_quiet(int peer, Ticket* done) {
  if (peer != kAllPeers && !is_connected(peer)) {
    return fail(Errc::not_found, "{}: there is no peer {} here", capabilities_.name, peer);
  }
  direct::quiet();
  settle(done, Errc::ok);
  return {};
}

namespace {

// A context is the transport itself under another name: order is the CPU's.
class DirectContext final : public Context {
 public:
  explicit DirectContext(DirectTransport& transport) : transport_(transport) {}
  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return transport_.post_put(to, src, nbytes, done);
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return transport_.post_get(dst, from, nbytes, done);
  }
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override {
    return transport_.post_amo(at, operation, old, done);
  }
  Result<> signal(const Target& at, const Signal& update) override {
    return transport_.signal(at, update);
  }
  void fence() override { transport_.fence(); }
  Result<> post_quiet(int peer, Ticket* done) override { return transport_.post_quiet(peer, done); }
  int progress() override { return 0; }

 private:
  DirectTransport& transport_;
};

}  // namespace

Result<std::unique_ptr<Context>> DirectTransport::open_context() {
  return std::unique_ptr<Context>(std::make_unique<DirectContext>(*this));
}

}  // namespace canopy::transport
