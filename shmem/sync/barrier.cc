#include "shmem/sync/barrier.h"

#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <utility>

namespace canopy::shmem {
namespace {

// Free looks at the word before the general wait: about as long as a line needs to cross.
constexpr int kLooks = 40;

}  // namespace

Barrier::Barrier(int me, std::vector<ControlPage*> pages, int cpus)
    : me_(me),
      n_(static_cast<int>(pages.size())),
      central_(static_cast<int>(pages.size()) > cpus),
      mine_(pages[static_cast<size_t>(me)]),
      pages_(std::move(pages)) {}

void Barrier::sync(World& world, const char* routine) {
  // StoreLoad: this PE's stores are visible before it reads anything that others stored before the
  // barrier; pairs with the same fence of the others.
  store_load_fence();
  if (n_ == 1) {
    return;
  }
  const uint64_t generation = ++generation_;
  if (central_) {
    meet_at_counter(world, generation, routine);
  } else {
    disseminate(world, generation, routine);
  }
}

void Barrier::disseminate(World& world, uint64_t generation, const char* routine) {
  for (int round = 0, step = 1; step < n_; ++round, step *= 2) {
    const int to = me_ + step < n_ ? me_ + step : me_ + step - n_;
    ControlPage& peer = *pages_[static_cast<size_t>(to)];
    // Release: what this PE stored, and what it heard of in earlier rounds; pairs with the acquire
    // below.
    store_release(&peer.rounds[round].generation, generation);
    peer.bell.ring(BellScope::host);
    const uint64_t* word = &mine_->rounds[round].generation;
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

void Barrier::meet_at_counter(World& world, uint64_t generation, const char* routine) {
  ControlPage& centre = *pages_[0];
  const uint64_t everybody = generation * static_cast<uint64_t>(n_);
  // acq_rel: hands this PE's stores to the last arriver, and the last one gets everybody's.
  const uint64_t before =
      std::atomic_ref<uint64_t>(centre.arrived).fetch_add(1, std::memory_order_acq_rel);
  if (before + 1 == everybody) {
    // Release: everybody's stores; pairs with the acquire of the waiters.
    store_release(&centre.released, generation);
    for (ControlPage* page : pages_) {
      page->bell.ring(BellScope::host);
    }
    return;
  }
  wait_slow(world, &centre.released, generation, -1, routine);
}

// `from` is the PE that stores the word, -1 when any may be the one that is missing.
void Barrier::wait_slow(World& world, const uint64_t* word, uint64_t generation, int from,
                        const char* routine) {
  int left = -1;
  const auto come = [&] {
    // Acquire: as in disseminate() and meet_at_counter().
    if (load_acquire(word) >= generation) {
      left = -1;
      return true;
    }
    for (int pe = 0; pe < n_; ++pe) {
      if ((from < 0 || pe == from) &&
          load_acquire(&pages_[static_cast<size_t>(pe)]->leaving) != 0) {
        left = pe;
        // It may have come and left since the first look.
        return true;
      }
    }
    return false;
  };
  wait_for(world, mine_->bell, come, WakenBy::ours, routine, [&] {
    return fmt::format("pe {} waits in {} number {} for {}", mine_->pe, routine, generation,
                       from < 0 ? std::string("other PEs") : fmt::format("PE {}", from));
  });
  if (left >= 0 && load_acquire(word) < generation) {
    world.left_early(routine, pages_[static_cast<size_t>(left)]->pe);
  }
}

}  // namespace canopy::shmem
