// TeamArea: what the members of one team share about one of them. Every PE has room for kTeams of them at the
// start of its host heap, so that near members load and store them and far ones reach them by the heap's paths.
//
//   | Meeting | cell of member 0 | cell of member 1 | ... | places of all members | debug mode: TeamCall |
//
// A cell is what one member tells another: one line, one writer. Plain integers and bytes, reached through the
// accessors of runtime/base/cache_line.h; counts only grow. The area's owner clears it before it says which of its
// areas the team has, and all that is ever written to it afterwards has arrived before the team's last collective
// returns there: so it may be used for another team.
#pragma once

#include "shmem/sync/meeting.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

struct alignas(kCacheLine) TeamCell {
  static constexpr size_t kPayload = 16;

  // By parity of the exchange: a member that is ahead by one does not overwrite what is still being read, and
  // nobody is ahead by two.
  uint64_t exchange[2];
  std::byte payload[2][kPayload];
  uint64_t told;  // how often the cell's writer has told the owner that something of it is there
  uint64_t called;  // debug mode: the number of the program's newest collective that the writer has begun on this team
};
static_assert(sizeof(TeamCell) == kCacheLine);

// Which collective the area's owner has called last, in the debug mode (debug/guard.h). Written before an exchange,
// and read by others behind it only when what was exchanged tells that the members' differ: then nobody goes on.
struct alignas(kCacheLine) TeamCall {
  char routine[64];
  uint64_t element_bytes;
  uint64_t nelems;
  uint64_t dest;  // in the user area; 0 where there is none
  uint64_t source;
  int64_t root;
  int64_t dst;
  int64_t sst;
};
static_assert(sizeof(TeamCall) == 2 * kCacheLine);

struct TeamArea {
  // Teams that a PE may be a member of at a time, the predefined ones and those of active sets included.
  static constexpr uint32_t kTeams = 1024;
  static constexpr uint32_t kNone = UINT32_MAX;

  static constexpr uint64_t cell_at(int rank) { return sizeof(Meeting) + static_cast<uint64_t>(rank) * sizeof(TeamCell); }
  // uint32_t by rank: which area of its own each member uses. Only active sets tell them here.
  static constexpr uint64_t places_at(int size) { return cell_at(size); }
  static constexpr uint64_t call_at(int size) {
    return (places_at(size) + static_cast<uint64_t>(size) * sizeof(uint32_t) + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  // Pages of their own, so that unused ones cost nothing.
  static constexpr uint64_t stride(int n_pes) {
    constexpr uint64_t kPage = 4096;
    const uint64_t bytes = call_at(n_pes) + sizeof(TeamCall);
    return (bytes + kPage - 1) / kPage * kPage;
  }
  static constexpr uint64_t all_bytes(int n_pes) { return kTeams * stride(n_pes); }
};

}  // namespace canopy::shmem
