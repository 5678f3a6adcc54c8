#include "shmem/sync/far_barrier.h"

#include "shmem/rma/far_ops.h"
#include "shmem/sync/left_watch.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <cstddef>
#include <utility>

namespace canopy::shmem {
namespace {

// Adds one to a word of another group's leader's.
void tell(World& world, const Leader& leader, size_t words_at, int round, const char* routine) {
  const uint64_t at = words_at + static_cast<size_t>(round) * sizeof(uint64_t);
  if (leader.meeting == nullptr) {
    transport::Target word = leader.far_meeting;
    word.offset += at;
    far_signal_at(world, word, 1, SignalChange::add, routine);
    return;
  }
  // Near us, but not all of its group are near all of ours.
  auto* word = reinterpret_cast<uint64_t*>(reinterpret_cast<std::byte*>(leader.meeting) + at);
  // Release: pairs with the acquire of the wait for it.
  std::atomic_ref<uint64_t>(*word).fetch_add(1, std::memory_order_release);
  world.control(leader.pe).bell.ring(BellScope::host);
}

}  // namespace

FarBarrier::FarBarrier(size_t index, std::vector<Seat> seats, std::vector<Leader> leaders, int group)
    : me_(seats[index].page->pe), index_(index), seats_(std::move(seats)), leaders_(std::move(leaders)), group_(group) {}

// The leader `distance` groups ahead of ours (behind us when negative).
const Leader& FarBarrier::leader_at(int distance) const {
  const int n = static_cast<int>(leaders_.size());
  return leaders_[static_cast<size_t>((group_ + distance % n + n) % n)];
}

void FarBarrier::sync(World& world, const char* routine) {
  // StoreLoad: as in Barrier::sync().
  store_load_fence();
  const uint64_t generation = ++generation_;
  Meeting& centre = *seats_.front().meeting;
  if (leads()) {
    gather(world, generation, routine);
    disseminate(world, generation, routine);
    for (const Seat& seat : seats_) {
      // Release: what everybody stored before; pairs with the acquire below. Each in its own memory: see Barrier.
      store_release(&seat.meeting->far_released, generation);
      seat.page->bell.ring(BellScope::host);
    }
    return;
  }
  // acq_rel: hands this PE's stores to the leader.
  std::atomic_ref<uint64_t>(centre.far_arrived).fetch_add(1, std::memory_order_acq_rel);
  const ControlPage& leader = *seats_.front().page;
  const Meeting& own = *seats_[index_].meeting;
  seats_.front().page->bell.ring(BellScope::host);
  const auto released = [&] { return load_acquire(&own.far_released) >= generation; };
  const auto over = [&] { return released() || load_acquire(&leader.leaving) != 0; };
  wait_for(world, world.bell(), over, WakenBy::ours, routine, [&] {
    return fmt::format("pe {} waits in {} number {} for PE {} and other hosts, number {} is over", me_, routine,
                       generation, leader.pe, load_relaxed(&own.far_released));
  });
  if (!released()) {
    world.left_early(routine, leader.pe);
  }
}

void FarBarrier::gather(World& world, uint64_t generation, const char* routine) {
  Meeting& centre = *seats_.front().meeting;
  const uint64_t everybody = generation * (seats_.size() - 1);
  int left = -1;
  const auto arrived = [&] { return load_acquire(&centre.far_arrived) >= everybody; };
  const auto over = [&] {
    if (arrived()) {
      return true;
    }
    for (const Seat& seat : seats_) {
      if (load_acquire(&seat.page->leaving) != 0) {
        left = seat.page->pe;
        return true;
      }
    }
    return false;
  };
  wait_for(world, world.bell(), over, WakenBy::ours, routine, [&] {
    const uint64_t others = seats_.size() - 1;
    const uint64_t here = load_relaxed(&centre.far_arrived) - (generation - 1) * others;
    return fmt::format("pe {} waits in {} number {} for other PEs of its host: {} of {} are here", me_, routine, generation,
                       here + 1, others + 1);
  });
  if (!arrived()) {
    world.left_early(routine, left);
  }
}

void FarBarrier::disseminate(World& world, uint64_t generation, const char* routine) {
  const int n = static_cast<int>(leaders_.size());
  Meeting& mine = *seats_.front().meeting;
  for (int round = 0, step = 1; step < n; ++round, step *= 2) {
    tell(world, leader_at(step), offsetof(Meeting, far_rounds), round, routine);
    const int from = leader_at(-step).pe;
    const uint64_t* word = &mine.far_rounds[round];
    const uint64_t* leaving = &mine.far_leaving[round];
    const auto heard = [&] { return load_acquire(word) >= generation; };
    LeftWatch watch(world, from);
    const auto over = [&] { return heard() || load_acquire(leaving) != 0 || watch.left(); };
    wait_for(world, world.bell(), over, watch.waker(), routine, [&] {
      return fmt::format("pe {} waits in {} number {} for PE {} on host {}, of which number {} was heard", me_, routine,
                         generation, from, world.card(from).host.text(), load_relaxed(word));
    });
    if (!heard()) {
      world.left_early(routine, from);
    }
  }
}

void FarBarrier::announce_leaving(World& world) {
  const int n = static_cast<int>(leaders_.size());
  for (int round = 0, step = 1; step < n; ++round, step *= 2) {
    tell(world, leader_at(step), offsetof(Meeting, far_leaving), round, "finalize");
  }
}

void FarBarrier::note_leaving(ControlPage& leader, int mine, int gone, int n) {
  for (int round = 0, step = 1; step < n; ++round, step *= 2) {
    if ((gone + step) % n == mine) {
      // Release: as a signal's; pairs with the acquire of disseminate().
      std::atomic_ref<uint64_t>(leader.meeting.far_leaving[round]).fetch_add(1, std::memory_order_release);
    }
  }
  leader.bell.ring(BellScope::host);
}

}  // namespace canopy::shmem
