#include "shmem/sync/far_barrier.h"

#include "shmem/rma/far_ops.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <cstddef>
#include <utility>

namespace canopy::shmem {
namespace {

// Adds one to a word on the page of another group's leader.
void tell(World& world, int pe, size_t words_at, int round, const char* routine) {
  const uint64_t at = words_at + static_cast<size_t>(round) * sizeof(uint64_t);
  if (world.far() != nullptr && world.far()->way_to(pe) != nullptr) {
    far_signal_at(world, {pe, FarPaths::kControlPage, at}, 1, SignalChange::add, routine);
    return;
  }
  // Near us, but not all of its group are near all of ours.
  ControlPage& page = world.control(pe);
  auto* word = reinterpret_cast<uint64_t*>(reinterpret_cast<std::byte*>(&page) + at);
  // Release: pairs with the acquire of the wait for it.
  std::atomic_ref<uint64_t>(*word).fetch_add(1, std::memory_order_release);
  page.bell.ring(BellScope::host);
}

}  // namespace

FarBarrier::FarBarrier(int my_pe, std::vector<ControlPage*> pages, std::vector<int> leaders,
                       int group)
    : me_(my_pe), pages_(std::move(pages)), leaders_(std::move(leaders)), group_(group) {}

// The leader `distance` groups ahead of ours (behind us when negative).
int FarBarrier::leader_at(int distance) const {
  const int n = static_cast<int>(leaders_.size());
  return leaders_[static_cast<size_t>((group_ + distance % n + n) % n)];
}

void FarBarrier::sync(World& world, const char* routine) {
  // StoreLoad: as in Barrier::sync().
  store_load_fence();
  const uint64_t generation = ++generation_;
  ControlPage& centre = *pages_.front();
  if (leads()) {
    gather(world, generation, routine);
    disseminate(world, generation, routine);
    // Release: what everybody stored before; pairs with the acquire below.
    store_release(&centre.released, generation);
    for (ControlPage* page : pages_) {
      page->bell.ring(BellScope::host);
    }
    return;
  }
  // acq_rel: hands this PE's stores to the leader.
  std::atomic_ref<uint64_t>(centre.arrived).fetch_add(1, std::memory_order_acq_rel);
  centre.bell.ring(BellScope::host);
  const auto released = [&] { return load_acquire(&centre.released) >= generation; };
  const auto over = [&] { return released() || load_acquire(&centre.leaving) != 0; };
  wait_for(world, world.bell(), over, WakenBy::ours, routine, [&] {
    return fmt::format("pe {} waits in {} number {} for PE {} and other hosts", me_, routine,
                       generation, leader_at(0));
  });
  if (!released()) {
    world.left_early(routine, leader_at(0));
  }
}

void FarBarrier::gather(World& world, uint64_t generation, const char* routine) {
  ControlPage& centre = *pages_.front();
  const uint64_t everybody = generation * (pages_.size() - 1);
  int left = -1;
  const auto arrived = [&] { return load_acquire(&centre.arrived) >= everybody; };
  const auto over = [&] {
    if (arrived()) {
      return true;
    }
    for (const ControlPage* page : pages_) {
      if (load_acquire(&page->leaving) != 0) {
        left = page->pe;
        return true;
      }
    }
    return false;
  };
  wait_for(world, world.bell(), over, WakenBy::ours, routine, [&] {
    return fmt::format("pe {} waits in {} number {} for other PEs of its host", me_, routine,
                       generation);
  });
  if (!arrived()) {
    world.left_early(routine, left);
  }
}

void FarBarrier::disseminate(World& world, uint64_t generation, const char* routine) {
  const int n = static_cast<int>(leaders_.size());
  ControlPage& mine = *pages_.front();
  for (int round = 0, step = 1; step < n; ++round, step *= 2) {
    tell(world, leader_at(step), offsetof(ControlPage, far_rounds), round, routine);
    const int from = leader_at(-step);
    const uint64_t* word = &mine.far_rounds[round];
    const uint64_t* leaving = &mine.far_leaving[round];
    const auto heard = [&] { return load_acquire(word) >= generation; };
    const auto over = [&] { return heard() || load_acquire(leaving) != 0; };
    wait_for(world, world.bell(), over, WakenBy::ours, routine, [&] {
      return fmt::format("pe {} waits in {} number {} for PE {} on host {}", me_, routine,
                         generation, from, world.card(from).host);
    });
    if (!heard()) {
      world.left_early(routine, from);
    }
  }
}

void FarBarrier::announce_leaving(World& world) {
  const int n = static_cast<int>(leaders_.size());
  for (int round = 0, step = 1; step < n; ++round, step *= 2) {
    tell(world, leader_at(step), offsetof(ControlPage, far_leaving), round, "finalize");
  }
}

}  // namespace canopy::shmem
