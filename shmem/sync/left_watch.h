// LeftWatch: whether a PE that a wait is for has left the job (finalized), so that the wait would
// never end.
//
// A look is a load where that PE's control page is mapped; towards other hosts it is a get that is
// under way while the wait goes on, at most one per kEvery. PEs that die are none of its business:
// they end the job.
#pragma once

#include "runtime/base/waiter.h"
#include "transport/base/ticket.h"

#include <cstdint>

namespace canopy::shmem {

class World;

class LeftWatch {
 public:
  LeftWatch(World& world, int pe);
  // Waits for the get that is under way: it writes here.
  ~LeftWatch();
  LeftWatch(const LeftWatch&) = delete;
  LeftWatch& operator=(const LeftWatch&) = delete;

  // Cheap enough for every look of a wait.
  bool left();
  // A PE that leaves rings the bells of its host; for others a wait has to look by itself.
  WakenBy waker() const { return mapped_ ? WakenBy::ours : WakenBy::anyone; }

 private:
  static constexpr uint64_t kEveryNs = 100'000'000;

  World& world_;
  const int pe_;
  const bool mapped_;
  uint32_t leaving_ = 0;
  transport::Ticket ticket_;
  bool asked_ = false;
  uint64_t next_ns_ = 0;
};

}  // namespace canopy::shmem
