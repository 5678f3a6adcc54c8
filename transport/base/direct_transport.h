// DirectTransport: what `self` and `mapped` have in common - a table of windows (peer, region) that
// are plain memory here, and range checks in front of transport/base/direct_memory.h. The two
// differ in whom they connect to, and in what they say when they cannot. Everything is complete
// when the call returns, so every ticket is settled then and there is no order to keep per context.
//
// The table is written by connect() only (no other call may run then) and read without locks.
// Regions that come and go have one of their own, which a post looks at only when the first has no
// answer.
#pragma once

#include "transport/base/transport.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace canopy::transport {

class DirectTransport : public Transport {
 public:
  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override;
  std::optional<std::byte*> direct(int peer, RegionId region) const override;
  Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) override;
  Result<> withdraw_region(RegionId id) override;
  Result<> open_region(int peer, const PeerRegion& region) override;
  Result<> close_region(int peer, RegionId id, Ticket* done) override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* source_done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override { return 0; }  // nothing is ever pending
  Result<std::unique_ptr<Context>> open_context() override;

 protected:
  explicit DirectTransport(std::string_view name);
  // The local region `id`, for good or offered; empty when there is none.
  std::span<std::byte> local_region(RegionId id) const;
  // Where a region of `peer` that is to be opened lies.
  virtual Result<std::span<std::byte>> place_of(int peer, const PeerRegion& region) const = 0;
  void add_window(int peer, RegionId region, std::span<std::byte> memory);

 private:
  struct Opened {
    std::span<std::byte> memory;
    uint32_t users = 0;  // posts that are in it now
  };
  // Where an operation goes; keeps an opened region open while it lives.
  struct Place {
    Place(const DirectTransport& of, std::byte* where, Opened* in)
        : at(where), transport(of), opened(in) {}
    Place(Place&& other) noexcept
        : at(other.at), transport(other.transport), opened(std::exchange(other.opened, nullptr)) {}
    ~Place() {
      if (opened != nullptr) {
        transport.leave(*opened);
      }
    }
    std::span<std::byte> memory() const {
      return opened != nullptr ? opened->memory : std::span<std::byte>();
    }

    std::byte* at;
    const DirectTransport& transport;
    Opened* opened;  // null: a region that stays
  };

  Result<Place> resolve(const Target& target, size_t nbytes, size_t alignment) const;
  bool is_connected(int peer) const;
  Opened* enter(int peer, RegionId region) const;
  void leave(Opened& opened) const;

  Capabilities capabilities_;
  std::map<RegionId, std::span<std::byte>> regions_;
  // By peer, then by region id: both are small and dense.
  std::vector<std::vector<std::span<std::byte>>> windows_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<RegionId, std::span<std::byte>> offered_;
  mutable std::map<std::pair<int, RegionId>, Opened> opened_;
};

}  // namespace canopy::transport
