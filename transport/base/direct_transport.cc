#include "transport/base/direct_transport.h"

#include "transport/base/direct_memory.h"

namespace canopy::transport {

DirectTransport::DirectTransport(std::string_view name)
    : capabilities_{.name = name,
                    .direct = true,
                    .amo_complete = true,
                    .amo_with_cpu = true,
                    .put_in_place = true,
                    .max_bytes = 0} {}

Result<std::string> DirectTransport::register_region(RegionId id, std::span<std::byte> memory) {
  if (!regions_.emplace(id, memory).second) {
    return fail(Errc::invalid_argument, "{}: region {} is registered already", capabilities_.name,
                id);
  }
  return std::string();
}

std::span<std::byte> DirectTransport::local_region(RegionId id) const {
  const auto found = regions_.find(id);
  return found == regions_.end() ? std::span<std::byte>() : found->second;
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

Result<std::byte*> DirectTransport::resolve(const Target& target, size_t nbytes,
                                            size_t alignment) const {
  const auto base = direct(target.peer, target.region);
  if (!base) {
    return fail(Errc::not_found, "{}: peer {} has no region {} here", capabilities_.name,
                target.peer, target.region);
  }
  const uint64_t bytes = windows_[static_cast<size_t>(target.peer)][target.region].size();
  if (target.offset > bytes || nbytes > bytes - target.offset) {
    return fail(Errc::out_of_range,
                "{}: peer {} region {}: {} bytes at offset {} leave its {} bytes",
                capabilities_.name, target.peer, target.region, nbytes, target.offset, bytes);
  }
  std::byte* at = *base + target.offset;
  if (reinterpret_cast<uintptr_t>(at) % alignment != 0) {
    return fail(Errc::misaligned, "{}: peer {} region {}: offset {} is not a multiple of {}",
                capabilities_.name, target.peer, target.region, target.offset, alignment);
  }
  return at;
}

Result<> DirectTransport::put(const Target& to, const void* src, size_t nbytes) {
  CANOPY_ASSIGN(std::byte * at, resolve(to, nbytes, 1));
  copy_bytes(at, src, nbytes);
  return {};
}

Result<> DirectTransport::post_put(const Target& to, const void* src, size_t nbytes) {
  return put(to, src, nbytes);  // done at once: completing early is allowed
}

Result<> DirectTransport::get(void* dst, const Target& from, size_t nbytes) {
  CANOPY_ASSIGN(std::byte * at, resolve(from, nbytes, 1));
  copy_bytes(dst, at, nbytes);
  return {};
}

Result<> DirectTransport::post_get(void* dst, const Target& from, size_t nbytes) {
  return get(dst, from, nbytes);
}

Result<uint64_t> DirectTransport::amo(const Target& at, const Amo& operation) {
  if (operation.width != 4 && operation.width != 8) {
    return fail(Errc::invalid_argument, "{}: an amo has 4 or 8 bytes, not {}", capabilities_.name,
                operation.width);
  }
  CANOPY_ASSIGN(std::byte * word, resolve(at, operation.width, operation.width));
  return direct::amo(word, operation);
}

Result<> DirectTransport::signal(const Target& at, SignalOp op, uint64_t value) {
  CANOPY_ASSIGN(std::byte * word, resolve(at, sizeof(uint64_t), alignof(uint64_t)));
  direct::signal(word, op, value);
  return {};
}

void DirectTransport::fence() { direct::fence(); }

Result<> DirectTransport::quiet() {
  direct::quiet();
  return {};
}

}  // namespace canopy::transport
