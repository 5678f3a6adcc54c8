// Transport: moves bytes between registered regions of this PE and of its peers. Knows no device,
// no PE numbering of the API above (a peer is a small number that the user of the transport chose),
// and no policy: which transport serves which peer is decided above, once, at init.
//
// Nothing blocks in here. Whoever waits does it above, with its own policy (a host thread with
// runtime/base/waiter, a fiber by giving its core away), and calls progress() while it does;
// transport/base/blocking.h has the loop.
//
// Completion, in three words that are never mixed:
//   source     the source buffer may be reused
//   operation  the result is in the caller's buffer (get, fetching amo)
//   remote     the effect is visible to every PE
//
//   call        its ticket is settled at             without a ticket    ordered by
//   post_put    source complete                      quiet               fence
//   post_get    operation complete                   quiet               -
//   post_amo    operation complete, at the target    quiet               fence
//   signal      (source complete on return)          quiet               fence, and see below
//   post_quiet  remote completion of what this context posted before, gets and amos included
//
// A signal is visible only after all puts to the same peer that its thread posted to the same
// context before.
//
// Errc::again means back-pressure: nothing happened, no ticket was taken; call progress() and post
// again. Argument errors are checked (peer, region, range) and returned by the call; what fails
// later settles the ticket with the code, or the next quiet's where there is none.
#pragma once

#include "runtime/base/result.h"
#include "transport/base/ticket.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace canopy::transport {

// Each flag is a promise that the contract tests check.
struct Capabilities {
  std::string_view name;
  bool direct = false;  // direct() gives an address for every region of a connected peer, and every
                        // ticket is settled when its post_ call returns
  bool amo_with_cpu = false;  // amos exclude the target's own CPU atomics on the same word
};

using RegionId = uint32_t;
// Tables of regions are indexed by id: what a peer names cannot make them larger than 1.5 MiB.
inline constexpr RegionId kMostRegions = 65536;

// A region of a peer, as its owner described it to us.
struct PeerRegion {
  RegionId id = 0;
  uint64_t bytes = 0;
  std::byte* mapped_at = nullptr;  // where we see it in our own address space; null: nowhere
  std::string key;                 // what the owner's register_region() returned
};

// add_real adds floats (width 4) or doubles (width 8); value, compare and the old value are always
// bit patterns.
enum class AmoOp : uint8_t {
  fetch,
  set,
  swap,
  compare_swap,
  add,
  bit_and,
  bit_or,
  bit_xor,
  add_real
};
inline constexpr AmoOp kLastAmoOp = AmoOp::add_real;
enum class SignalOp : uint8_t { set, add };

// An operand of 4 or 8 bytes. Narrow values use the low half; add and the bit operations wrap.
struct Amo {
  AmoOp op = AmoOp::fetch;
  uint8_t width = 8;
  uint64_t value = 0;
  uint64_t compare = 0;  // compare_swap only
};

// An update of a word of 4 or 8 bytes. Narrow values use the low half; add wraps.
struct Signal {
  SignalOp op = SignalOp::set;
  uint64_t value = 0;
  uint8_t width = 8;
};

// Where an operation goes: bytes [offset, ...) of a region of a peer.
struct Target {
  int peer = 0;
  RegionId region = 0;
  uint64_t offset = 0;
};

inline constexpr int kAllPeers = -1;

// The posting side: one sequence of operations with its own order and its own quiet. Any thread may
// call anything at any time; threads that share a context share its order, and a quiet covers what
// all of them posted.
class Context {
 public:
  virtual ~Context() = default;

  // Without a ticket the source must stay as it is until a quiet.
  virtual Result<> post_put(const Target& to, const void* src, size_t nbytes,
                            Ticket* source_done) = 0;
  virtual Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) = 0;
  // `old` null: non-fetching. REQUIRES: the offset is a multiple of the width.
  virtual Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old,
                            Ticket* done) = 0;
  // REQUIRES: the offset is a multiple of the width.
  virtual Result<> signal(const Target& at, const Signal& update) = 0;
  // Puts, amos and signals of this context before it are visible at each peer before those after
  // it. Never waits; where the network gives no such order, later posts get Errc::again until it
  // holds.
  virtual void fence() = 0;
  // `peer` or kAllPeers.
  virtual Result<> post_quiet(int peer, Ticket* done) = 0;

  // Moves things on; returns how many operations it completed. Does nothing, and returns 0, while
  // another thread does the same.
  virtual int progress() = 0;
  // The caller stops calling progress() for a while (it computes or sleeps): whatever serves peers
  // meanwhile takes over now instead of when it notices.
  virtual void rest() {}
  // Why operations to `peer` fail; "" while they do not.
  virtual std::string trouble(int /*peer*/) const { return {}; }
};

// Also its own default context.
class Transport : public Context {
 public:
  virtual const Capabilities& capabilities() const = 0;

  // What peers need to reach this one; goes into the PE's card. "" when they need nothing.
  virtual Result<std::string> address() const { return std::string(); }
  // Makes local memory reachable for peers as `id`. Returns the key they need to reach it ("" when
  // they need none). The memory must outlive the transport.
  virtual Result<std::string> register_region(RegionId id, std::span<std::byte> memory) = 0;
  // Makes `peer` a legal target. Sends nothing: a connection is made at its first use. Errors:
  // not_supported with the reason when this transport has no way to one of the regions. Connecting
  // again adds or replaces regions.
  // REQUIRES: as for direct() - nobody posts to that peer meanwhile.
  virtual Result<> connect(int peer, std::string_view address,
                           std::span<const PeerRegion> regions) = 0;
  // Regions that come and go, on any thread, at any time, whatever others post meanwhile. Their
  // owner offers one and tells peers its key by means of its own; a peer opens it, posts to it as
  // to any other, and closes it; the owner withdraws it when every peer has closed it. An access to
  // what is not open is not_found, as with any region. The ids are those of register_region(), and
  // small: below kMostRegions, so that finding one stays an index. direct() has no address for
  // them.

  // As register_region(). The memory must stay until it is withdrawn.
  virtual Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) = 0;
  // The memory is the caller's again. REQUIRES: no peer has it open; a provider may take an access
  // by one who has as a broken connection, and lose that peer. Error: not_found.
  virtual Result<> withdraw_region(RegionId id) = 0;
  // Makes a region of a connected peer a legal target. Errors: not_found, no such peer;
  // invalid_argument, the id is in use; again, the peer has yet to be met.
  virtual Result<> open_region(int peer, const PeerRegion& region) = 0;
  // Posts to it are refused from now on; `done` is settled when all that any context has posted to
  // it is remotely complete: then its owner may be told. Errors: not_found; again, something that
  // was posted to it has not left yet.
  virtual Result<> close_region(int peer, RegionId id, Ticket* done) = 0;

  // Gives a peer up (its process or host is known to be dead): what is pending to it and what is
  // posted to it later fails with peer_lost.
  virtual void disconnect(int /*peer*/, std::string_view /*why*/) {}
  // Nothing that peers sent, or that was posted, touches any memory from now on, whatever a network
  // still holds. No ticket is settled any more. REQUIRES: nobody calls it again, and it is never
  // destroyed.
  virtual void halt() {}
  // Where byte 0 of that region lies in our address space; nothing when it is not load/store
  // reachable.
  virtual std::optional<std::byte*> direct(int peer, RegionId region) const = 0;

  // A further context to the same peers, with order, quiet and (far transports) an endpoint of its
  // own. Must go before the transport does.
  virtual Result<std::unique_ptr<Context>> open_context() = 0;

  // One line about the way to `peer`, for people.
  virtual std::string why(int /*peer*/) const { return std::string(capabilities().name); }

  // Called, on whatever thread progresses, after something of a peer may have changed our memory,
  // after tickets were settled, and while there may be room again for what was refused: whoever
  // sleeps until one of these should look, so ring the PE's bell there. Also without cause. Both
  // are set before the first connect(), and must not call the transport.
  virtual void on_arrival(std::function<void()> /*call*/) {}
  // Called once per peer that is lost, with the sentence that trouble() keeps.
  virtual void on_error(
      std::function<void(int peer, Errc code, std::string_view sentence)> /*call*/) {}
  // Whether a peer is sending just now, what progress() need not have noticed: a get of this PE's
  // memory, a large put on its way. Something to ask a few times before sleeping; costs a system
  // call, moves nothing on.
  virtual bool hears() { return false; }
};

}  // namespace canopy::transport
