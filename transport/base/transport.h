// Transport: moves bytes between registered regions of this PE and of its peers. Knows no device,
// no PE numbering of the API above (a peer is a small number that the user of the transport chose),
// and no policy: which transport serves which peer is decided above, once, at init.
//
// Completion, in three words that are never mixed:
//   source     the source buffer may be reused
//   operation  the result is in the caller's buffer (get, fetching amo)
//   remote     the effect is visible to every PE
//
//   call      on return                               ordered by   remotely complete at
//   put       source complete                         fence        quiet
//   post_put  nothing                                 fence        quiet (and then source too)
//   get       operation complete                      -            -
//   post_get  nothing                                 -            quiet
//   amo       operation complete, at the target too   -            return (flag amo_complete), else
//   quiet signal    like put; visible only after all puts to the peer that this thread issued
//   before
//
// Errc::again means back-pressure: nothing happened, call progress() and retry. Argument errors are
// checked (peer, region, range). Any thread may call anything, except that register_region(),
// connect() and destruction need the object alone.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace canopy::transport {

// Each flag is a promise that the contract tests check.
struct Capabilities {
  std::string_view name;
  bool direct = false;        // direct() gives an address for every region of a connected peer
  bool amo_complete = false;  // an amo has happened at the target when the call returns
  bool amo_with_cpu = false;  // amos exclude the target's own CPU atomics on the same word
  bool put_in_place = false;  // a put is source complete without a copy being kept
  uint64_t max_bytes = 0;     // of one put or get; 0: no limit
};

using RegionId = uint32_t;

// A region of a peer, as its owner described it to us.
struct PeerRegion {
  RegionId id = 0;
  uint64_t bytes = 0;
  std::byte* mapped_at = nullptr;  // where we see it in our own address space; null: nowhere
  std::string key;                 // what the owner's register_region() returned
};

enum class AmoOp : uint8_t { fetch, set, swap, compare_swap, add, bit_and, bit_or, bit_xor };
enum class SignalOp : uint8_t { set, add };

// An operand of 4 or 8 bytes. Narrow values use the low half; add and the bit operations wrap.
struct Amo {
  AmoOp op = AmoOp::fetch;
  uint8_t width = 8;
  uint64_t value = 0;
  uint64_t compare = 0;  // compare_swap only
};

// Where an operation goes: bytes [offset, ...) of a region of a peer.
struct Target {
  int peer = 0;
  RegionId region = 0;
  uint64_t offset = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  virtual const Capabilities& capabilities() const = 0;

  // Makes local memory reachable for peers as `id`. Returns the key they need to reach it ("" when
  // they need none). The memory must outlive the transport.
  virtual Result<std::string> register_region(RegionId id, std::span<std::byte> memory) = 0;
  // Makes `peer` a legal target. Errors: not_supported with the reason when this transport has no
  // way to one of the regions. Connecting again replaces the peer's regions.
  virtual Result<> connect(int peer, std::span<const PeerRegion> regions) = 0;
  // Where byte 0 of that region lies in our address space; nothing when it is not load/store
  // reachable.
  virtual std::optional<std::byte*> direct(int peer, RegionId region) const = 0;

  virtual Result<> put(const Target& to, const void* src, size_t nbytes) = 0;
  virtual Result<> post_put(const Target& to, const void* src, size_t nbytes) = 0;
  virtual Result<> get(void* dst, const Target& from, size_t nbytes) = 0;
  virtual Result<> post_get(void* dst, const Target& from, size_t nbytes) = 0;
  // Returns the old value. REQUIRES: the offset is a multiple of the width.
  virtual Result<uint64_t> amo(const Target& at, const Amo& operation) = 0;
  // Updates an 8-byte word, after the puts to that peer before it. REQUIRES: aligned to 8.
  virtual Result<> signal(const Target& at, SignalOp op, uint64_t value) = 0;

  virtual void fence() = 0;
  virtual Result<> quiet() = 0;
  // Moves things on; returns how many operations it completed.
  virtual int progress() = 0;
};

}  // namespace canopy::transport
