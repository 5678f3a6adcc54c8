// Registry: what all contexts of a transport share - our regions, the peers with theirs, and whom
// we have lost.
//
// Regions and peers are written by whoever holds the baton of every context and of the server
// (OfiTransport::alone() does), and read by whoever holds one: who posts holds one anyway, so
// regions that come and go cost a post nothing. lose() and the callbacks are called by any thread.
#pragma once

#include "transport/base/transport.h"
#include "transport/ofi/domain.h"
#include "transport/ofi/wire.h"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::transport::ofi {

struct LocalRegion {
  std::span<std::byte> memory;
  Registration registration;
  // Never to be withdrawn. Only such a one lends its registration to operations that begin or end
  // in it here: they may be under way when another is withdrawn.
  bool stays = true;
};

// How a remote word is named: what to add to an offset, and the key.
struct RemoteWindow {
  uint64_t bytes = 0;  // 0: there is none
  uint64_t base = 0;
  uint64_t key = 0;
};

struct RemotePeer {
  fi_addr_t address = FI_ADDR_UNSPEC;
  bool connected = false;
  ContextId server = 0;               // who executes our messages there
  RemoteWindow flush;                 // a few bytes of its own that we may put to
  std::vector<RemoteWindow> regions;  // by id: small and dense
};

class Registry {
 public:
  // ---- our regions
  const LocalRegion* region(RegionId id) const;
  Result<> add_region(RegionId id, LocalRegion region);
  // The caller ends its registration. Error: not_found: there is none, or it stays.
  Result<LocalRegion> take_region(RegionId id);
  // Ends all registrations; nobody works any more.
  void forget_regions() {
    staying_.clear();
    regions_.clear();
  }
  // The descriptor for [at, +nbytes) if one of our regions that stay has it.
  void* descriptor_of(const void* at, size_t nbytes) const;

  // ---- peers
  // Null when there is none.
  const RemotePeer* peer(int number) const;
  RemotePeer& add_peer(int number);

  // ---- losses
  // Gives the peer up, once: later calls change nothing. Calls the error callback.
  void lose(int peer, Errc code, std::string_view sentence);
  // Grows with every loss. Acquire: pairs with lose(), so that lost() knows of it.
  uint32_t losses() const { return losses_.load(std::memory_order_acquire); }
  bool lost(int peer) const;
  // ok when it is not lost.
  Errc loss_code(int peer) const;
  std::string trouble(int peer) const;

  // ---- callbacks; set before the first peer is added
  std::function<void()> arrival;
  std::function<void(int, Errc, std::string_view)> error;
  void arrived() const {
    if (arrival) {
      arrival();
    }
  }

 private:
  std::map<RegionId, LocalRegion> regions_;
  std::vector<const LocalRegion*> staying_;  // of regions_, whose entries stay where they are
  std::deque<RemotePeer> peers_;  // stays where it is while it grows
  struct Loss {
    Errc code;
    std::string sentence;
  };
  mutable std::mutex mutex_;  // guards lost_
  std::map<int, Loss> lost_;
  std::atomic<uint32_t> losses_{0};
};

}  // namespace canopy::transport::ofi
