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

Result<> DirectTransport::post_put(const Target& to, const void* src, size_t nbytes,
                                   Ticket* source_done) {
  CANOPY_ASSIGN(std::byte * at, resolve(to, nbytes, 1));
  copy_bytes(at, src, nbytes);
  settle(source_done, Errc::ok);
  return {};
}

Result<> DirectTransport::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(std::byte * at, resolve(from, nbytes, 1));
  copy_bytes(dst, at, nbytes);
  settle(done, Errc::ok);
  return {};
}

Result<> DirectTransport::post_amo(const Target& at, const Amo& operation, uint64_t* old,
                                   Ticket* done) {
  if (operation.width != 4 && operation.width != 8) {
    return fail(Errc::invalid_argument, "{}: an amo has 4 or 8 bytes, not {}", capabilities_.name,
                operation.width);
  }
  CANOPY_ASSIGN(std::byte * word, resolve(at, operation.width, operation.width));
  const uint64_t before = direct::amo(word, operation);
  if (old != nullptr) {
    *old = before;
  }
  settle(done, Errc::ok);
  return {};
}

Result<> DirectTransport::signal(const Target& at, SignalOp op, uint64_t value) {
  CANOPY_ASSIGN(std::byte * word, resolve(at, sizeof(uint64_t), alignof(uint64_t)));
  direct::signal(word, op, value);
  return {};
}

void DirectTransport::fence() { direct::fence(); }

Result<> DirectTransport::post_quiet(int peer, Ticket* done) {
  const auto index = static_cast<size_t>(peer);
  if (peer != kAllPeers && (index >= windows_.size() || windows_[index].empty())) {
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
  Result<> signal(const Target& at, SignalOp op, uint64_t value) override {
    return transport_.signal(at, op, value);
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
