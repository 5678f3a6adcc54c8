// HostMeeting: where PEs of one host meet again, in memory that they share.
//
// What a PE puts at the launcher's server stays there, and every later answer carries all of it along, so meetings by PMIx
// grow slower: those of a 500th life took half a second. A process that joins its job a second time therefore meets the
// others here. PE 0 makes the memory file, says in its card where it is, and all open it through /proc.
//
//   [ doorbell, spoken ][ seat of PE 0: how often it has arrived, lengths ]...[ pieces of PE 0: even, odd rounds ]...
//
// A card longer than a piece takes several rounds. A piece is written over two rounds later: whoever arrives for the one in
// between has read it. One thread per process.
#pragma once

#include "launcher/bootstrap/sibling_watch.h"
#include "runtime/base/mapping.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/base/waiter.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace canopy {

class HostMeeting {
 public:
  static Result<HostMeeting> make(int n_pes);
  // `place`: what place() says at PE 0. Errc::io: it cannot be opened from here, or is no such file.
  static Result<HostMeeting> open(std::string_view place, int n_pes);
  std::string place() const;
  // Nobody needs the file any more.
  void note_opened_by_all() { fd_.reset(); }

  // Who waits, for messages, and whom it can look for.
  struct Waiter {
    int pe;
    std::string name;  // "pe 2 of 4"
    std::string_view call;
    SiblingWatch watch;
  };
  // Every PE's card, in PE order, when all have come. Errc::peer_lost: one has ended without; timeout.
  Result<std::vector<std::string>> meet(Waiter waiter, std::string_view card, Deadline deadline);

 private:
  struct Hall;
  struct Seat;
  HostMeeting(UniqueFd fd, Mapping map, int n_pes);
  Hall& hall() const;
  Seat& seat(int pe) const;
  char* piece(int pe, uint64_t round) const;
  std::vector<int> absent(uint64_t round) const;
  Result<> await_all(Waiter& waiter, uint64_t round, Deadline deadline);
  Result<> look_for_lost(Waiter& waiter, uint64_t round);

  UniqueFd fd_;  // at PE 0, until all have opened it
  Mapping map_;
  int n_pes_;
  uint64_t rounds_ = 0;
};

}  // namespace canopy
