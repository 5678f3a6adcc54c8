// DirectTransport: what `self` and `mapped` have in common - a table of windows (peer, region) that
// are plain memory here, and range checks in front of transport/base/direct_memory.h. The two
// differ in whom they connect to, and in what they say when they cannot. Everything is complete
// when the call returns, so every ticket is settled then and there is no order to keep per context.
//
// The table is written by connect() only (no other call may run then) and read without locks.
#pragma once

#include "transport/base/transport.h"

#include <map>
#include <vector>

namespace canopy::transport {

class DirectTransport : public Transport {
 public:
  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override;
  std::optional<std::byte*> direct(int peer, RegionId region) const override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* source_done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, SignalOp op, uint64_t value) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override { return 0; }  // nothing is ever pending
  Result<std::unique_ptr<Context>> open_context() override;

 protected:
  explicit DirectTransport(std::string_view name);
  // The local region `id`; empty when there is none.
  std::span<std::byte> local_region(RegionId id) const;
  void add_window(int peer, RegionId region, std::span<std::byte> memory);

 private:
  Result<std::byte*> resolve(const Target& target, size_t nbytes, size_t alignment) const;

  Capabilities capabilities_;
  std::map<RegionId, std::span<std::byte>> regions_;
  // By peer, then by region id: both are small and dense.
  std::vector<std::vector<std::span<std::byte>>> windows_;
};

}  // namespace canopy::transport
