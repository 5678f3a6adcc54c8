#include "shmem/sync/barrier.h"

#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <utility>

namespace canopy::shmem {
namespace {

// Free looks at the word before the general wait: about as long as a line needs to cross.
constexpr int kLooks = 40;

}  // namespace

Barrier::Barrier(int me, std::vector<Seat> seats, int cpus)
    : me_(me),
      n_(static_cast<int>(seats.size())),
      central_(static_cast<int>(seats.size()) > cpus),
      mine_(seats[static_cast<size_t>(me)]),
      seats_(std::move(seats)) {}

void Barrier::sync(World& world, const char* routine) {
  // StoreLoad: this PE's stores are visible before it reads anything that others stored before the
  // barrier; pairs with the same fence of the others.
  store_load_fence();
  if (n_ == 1) {
    return;
  }
  const uint64_t generation = ++generation_;
  if (!central_) {
    disseminate(world, generation, routine);
  } else if (arrive_last(generation)) {
    release(generation);
  } else {
    await_release(world, generation, routine);
  }
}

void Barrier::sync_after(World& world, FunctionRef<void()> work, const char* routine) {
  store_load_fence();  // as in sync()
  const uint64_t generation = ++generation_;
  if (arrive_last(generation)) {
    work();
    release(generation);
  } else {
    await_release(world, generation, routine);
  }
}

void Barrier::disseminate(World& world, uint64_t generation, const char* routine) {
  for (int round = 0, step = 1; step < n_; ++round, step *= 2) {
    const int to = me_ + step < n_ ? me_ + step : me_ + step - n_;
    const Seat& peer = seats_[static_cast<size_t>(to)];
    // Release: what this PE stored, and what it heard of in earlier rounds; pairs with the acquire
    // below.
    store_release(&peer.meeting->rounds[round].generation, generation);
    peer.page->bell.ring(BellScope::host);
    const uint64_t* word = &mine_.meeting->rounds[round].generation;
    int looks = 0;
    // Acquire: pairs with the release above, in the peer.
    while (load_acquire(word) < generation) {
      if (++looks == kLooks) {
        wait_slow(world, word, generation, me_ >= step ? me_ - step : me_ - step + n_, routine);
        break;
      }
      cpu_relax();
    }
  }
}

bool Barrier::arrive_last(uint64_t generation) {
  Meeting& first = *seats_[0].meeting;
  if (me_ < Meeting::kSeen) {
    // Relaxed: a hint for who waits (all_missing_are_elsewhere()), in the line that is needed next.
    store_relaxed(&first.seen[me_], static_cast<uint8_t>(generation));
  }
  const uint64_t everybody = generation * static_cast<uint64_t>(n_);
  // acq_rel: hands this PE's stores to the last arriver, and the last one gets everybody's.
  return std::atomic_ref<uint64_t>(first.arrived)
                 .fetch_add(1, std::memory_order_acq_rel) +
             1 ==
         everybody;
}

// Each in its own memory, so that nobody looks into another's after the meeting, which may have another use by then;
// the first last, so that the count of arrivals is there for who is not released yet.
void Barrier::release(uint64_t generation) {
  for (size_t i = seats_.size(); i-- > 0;) {
    // Release: everybody's stores; pairs with the acquire of the waiter.
    store_release(&seats_[i].meeting->released, generation);
    seats_[i].page->bell.ring(BellScope::host);
  }
}

void Barrier::await_release(World& world, uint64_t generation, const char* routine) {
  wait_slow(world, &mine_.meeting->released, generation, -1, routine);
}

bool Barrier::all_arrived(uint64_t generation) const {
  return load_acquire(&seats_[0].meeting->arrived) >= generation * static_cast<uint64_t>(n_);
}

bool Barrier::all_missing_are_elsewhere(uint64_t generation) const {
  if (n_ > Meeting::kSeen) {
    return false;
  }
  const Meeting& first = *seats_[0].meeting;
  for (int i = 0; i < n_; ++i) {
    if (load_relaxed(&first.seen[i]) != static_cast<uint8_t>(generation) && !is_elsewhere(*seats_[static_cast<size_t>(i)].page)) {
      return false;
    }
  }
  return true;
}

// `from` is the member that stores the word, -1 when any may be the one that is missing.
void Barrier::wait_slow(World& world, const uint64_t* word, uint64_t generation, int from,
                        const char* routine) {
  int left = -1;
  const auto come = [&] {
    // Acquire: as in disseminate() and release().
    if (load_acquire(word) >= generation) {
      left = -1;
      return true;
    }
    for (int pe = 0; pe < n_; ++pe) {
      if ((from < 0 || pe == from) &&
          load_acquire(&seats_[static_cast<size_t>(pe)].page->leaving) != 0) {
        if (from < 0 && all_arrived(generation)) {
          return false;  // it was released before us, and we are about to be
        }
        left = pe;
        // It may have come and left since the first look.
        return true;
      }
    }
    return false;
  };
  wait_for(world, mine_.page->bell, come, WakenBy::ours, routine, [&] {
    if (from < 0) {
      const uint64_t here = load_relaxed(&seats_[0].meeting->arrived) - (generation - 1) * static_cast<uint64_t>(n_);
      return fmt::format("pe {} waits in {} number {} for other PEs: {} of {} are here", mine_.page->pe, routine, generation,
                         std::min(here, static_cast<uint64_t>(n_)), n_);
    }
    return fmt::format("pe {} waits in {} number {} for PE {}, of which number {} was heard", mine_.page->pe, routine,
                       generation, seats_[static_cast<size_t>(from)].page->pe, load_relaxed(word));
  }, nullptr, [&] {
    return from < 0 ? all_missing_are_elsewhere(generation) : is_elsewhere(*seats_[static_cast<size_t>(from)].page);
  });
  if (left >= 0 && load_acquire(word) < generation) {
    world.left_early(routine, seats_[static_cast<size_t>(left)].page->pe);
  }
}

}  // namespace canopy::shmem
