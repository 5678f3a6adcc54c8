// The messages that PEs send each other beside RMA: atomic operations, signals and flushes, which
// the target's progress executes with the CPU, and the replies. One architecture per job: plain
// structs, in the byte order of the machine; a format number travels in every endpoint's address.
//
//   hello    once per context and peer, before anything else: who I am and where replies go
//   amo      one atomic operation; replied to when token != 0
//   signal   one update of a word; never replied to
//   flush    replied to: everything before it has happened
//   reply    to a token; or, with token 0, the failure of something that wanted no reply
//
// Messages of a context to a peer are executed in the order in which they were sent.
#pragma once

#include "transport/base/transport.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace canopy::transport::ofi {

inline constexpr uint8_t kWireFormat = 1;

enum class MessageKind : uint8_t { hello = 1, amo, signal, flush, reply };

// Numbers from random_id(): a context of a process.
using ContextId = uint64_t;

struct Request {
  MessageKind kind;
  uint8_t op;     // an AmoOp or a SignalOp
  uint8_t width;  // of the word: 4 or 8
  uint8_t padding;
  RegionId region;
  ContextId sender;
  uint64_t token;  // comes back in the reply; 0: no reply, unless it fails
  uint64_t offset;
  uint64_t value;
  uint64_t compare;
};
static_assert(sizeof(Request) == 48 && std::is_trivially_copyable_v<Request>);

struct Reply {
  MessageKind kind;
  uint8_t padding;
  uint16_t code;  // an Errc
  uint32_t region;
  ContextId sender;  // whose request it answers: a number that is not ours is a stray message
  ContextId target;  // who answers
  uint64_t token;
  uint64_t value;  // the old value; the offset when a request without a token failed
};
static_assert(sizeof(Reply) == 40 && std::is_trivially_copyable_v<Reply>);

inline constexpr size_t kLongestAddress = 200;
struct Hello {
  MessageKind kind;
  uint8_t address_bytes;
  uint8_t padding[6];
  ContextId sender;
  std::byte address[kLongestAddress];  // only address_bytes of it travel
};
static_assert(offsetof(Hello, address) == 16 && std::is_trivially_copyable_v<Hello>);

inline constexpr size_t kLongestMessage = sizeof(Hello);

}  // namespace canopy::transport::ofi
