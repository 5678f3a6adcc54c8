// What brokers say to each other: one fixed-size message per SEQPACKET record.
//
//   client                          server
//   HELLO id (identity) ->
//                      <-           HELLO_REPLY  status
//   FETCH serial, id, kind,
//         secret, leased ->
//                      <-           FETCH_REPLY  serial, status, bytes, offset, device (+ one descriptor when ok)
//   GIVE_BACK serial, id ->         (no answer: ends the lease of that FETCH, serial 0: the oldest one)
//   LEAVE              ->           (no answer: uses nothing but what it has leases of, until its next FETCH)
//   GOODBYE            ->           (or)
//                      <-           GOODBYE      then the socket closes
//
//   0        4         6    8         16    24       32      40      56       60      64        68       72
//   [ magic ][ version ][ op ][ serial ][ id ][ bytes ][ offset ][ secret ][ status ][ kind ][ device ][ leased ]
//
// A socket that closes without a GOODBYE tells of a death. `magic` and `version` stay where they
// are in all versions, so that a foreign version gets an answer it can read.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy::broker_protocol {

inline constexpr uint32_t kMagic = 0x6b724243;  // "CBrk"
inline constexpr uint16_t kVersion = 3;

enum class Op : uint16_t { hello = 1, hello_reply, fetch, fetch_reply, goodbye, give_back, leave };

// Own numbers, not Errc: those may be renumbered between two builds that talk to each other.
enum class Status : uint32_t {
  ok = 0,
  unknown_id,
  not_allowed,
  foreign_version,
  foreign_user,
  too_many_clients,
  too_many_leases,
  too_many_on_the_way,  // descriptors that this user's processes were sent and have not taken
  not_who_it_says       // the identity of a HELLO
};

struct Message {
  uint32_t magic = kMagic;
  uint16_t version = kVersion;
  Op op = Op::hello;
  uint64_t serial = 0;  // chosen by the client; a reply repeats it, so that late ones are known
  uint64_t id = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
  uint64_t secret[2] = {};
  Status status = Status::ok;
  uint32_t kind = 0;    // of a GIVE_BACK: 1 when the lease is given up
  int32_t device = -1;
  uint32_t leased = 0;
};
static_assert(sizeof(Message) == 72);
static_assert(offsetof(Message, version) == 4);
static_assert(offsetof(Message, op) == 6);
static_assert(offsetof(Message, id) == 16);
static_assert(offsetof(Message, secret) == 40);
static_assert(offsetof(Message, status) == 56);

}  // namespace canopy::broker_protocol

namespace canopy {

inline constexpr bool lies_within(uint64_t offset, uint64_t bytes, uint64_t all) {
  return offset <= all && bytes <= all - offset;
}

}  // namespace canopy
