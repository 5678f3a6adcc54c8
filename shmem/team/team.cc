#include "shmem/team/team.h"

#include "runtime/base/bulk_copy.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/left_watch.h"
#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <utility>

namespace canopy::shmem {
Team::Team(World& world, std::vector<int> pes, std::vector<uint32_t> places, int num_contexts)
    : world_(world),
      world_hot_(world.hot()),
      pes_(std::move(pes)),
      places_(std::move(places)),
      num_contexts_(num_contexts),
      rank_(rank_of(world.my_pe())),
      parts_(pes_.size()),
      told_(pes_.size()),
      heard_(pes_.size()) {
  gathering_ = Gathering(world, pes_, [this](int pe) {
    const int rank = rank_of(pe);
    std::byte* area = area_of(rank);
    const auto offset = reinterpret_cast<uintptr_t>(area) - world_hot_.base;
    return Leader{pe, reinterpret_cast<Meeting*>(near(rank, area)), {pe, FarPaths::kHostHeap, offset}};
  });
  crowded_ = gathering_.barrier().is_central();
}

int Team::rank_of(int pe) const {
  const auto found = std::find(pes_.begin(), pes_.end(), pe);
  return found == pes_.end() ? -1 : static_cast<int>(found - pes_.begin());
}

std::byte* Team::area_of(int rank) const {
  return reinterpret_cast<std::byte*>(world_hot_.base) +
         places_[static_cast<size_t>(rank)] * TeamArea::stride(world_.n_pes());
}

TeamCell* Team::cell(int owner, int writer) const {
  return reinterpret_cast<TeamCell*>(area_of(owner) + TeamArea::cell_at(writer));
}

void Team::wait_for_cell(int writer, const uint64_t* word, uint64_t wanted, const char* what, const char* routine) {
  // Free looks before the general wait: about as long as a line needs to cross. None where the writer may need this CPU.
  const int looks = crowded_ ? 0 : 40;
  // Acquire: pairs with the release of who writes the cell.
  const auto come = [&] { return load_acquire(word) >= wanted; };
  for (int look = 0; look < looks; ++look) {
    if (come()) {
      return;
    }
    cpu_relax();
  }
  const int from = pe(writer);
  LeftWatch watch(world_, from);
  wait_for(world_, world_.bell(), [&] { return come() || watch.left(); }, watch.waker(), routine, [&] {
    return fmt::format("pe {} waits in {} for {} of PE {} (number {}, seen {})", world_.my_pe(), routine, what, from, wanted,
                       load_acquire(word));
  }, nullptr, [&] { return is_near(writer) && is_elsewhere(world_.control(from)); });
  if (!come()) {
    world_.left_early(routine, from);
  }
}

void Team::exchange(FunctionRef<const void*(int rank)> mine, size_t bytes, std::span<Payload> out, const char* routine) {
  const uint64_t number = ++exchanges_;
  const size_t half = number % 2;
  const bool by_cell = all_near() && !crowded_;
  for (int step = 1; step < size(); ++step) {
    const int to = (rank_ + step) % size();
    TeamCell* theirs = cell(to, rank_);
    if (!by_cell) {
      put(to, theirs->payload[half], mine(to), bytes, routine);
      continue;
    }
    auto* there = reinterpret_cast<TeamCell*>(near(to, theirs));
    std::memcpy(there->payload[half], mine(to), bytes);
    // Release: the payload; pairs with the acquire in wait_for_cell().
    store_release(&there->exchange[half], number);
    world_hot_.peers[pe(to)].bell->ring(BellScope::host);
  }
  if (!by_cell) {
    quiet(routine);
    sync(routine);
  }
  std::memcpy(out[static_cast<size_t>(rank_)].bytes, mine(rank_), bytes);
  for (int step = 1; step < size(); ++step) {
    const int from = (rank_ + size() - step) % size();
    const TeamCell* ours = cell(rank_, from);
    if (by_cell) {
      wait_for_cell(from, &ours->exchange[half], number, "the part", routine);
    }
    std::memcpy(out[static_cast<size_t>(from)].bytes, ours->payload[half], bytes);
  }
}

std::vector<Payload> Team::exchange_all(const Payload& mine, const char* routine) {
  std::vector<Payload> all(pes_.size());
  exchange([&](int) { return static_cast<const void*>(mine.bytes); }, sizeof mine.bytes, all, routine);
  return all;
}

void Team::tell(int rank, const char* routine) {
  TeamCell* theirs = cell(rank, rank_);
  const uint64_t number = ++told_[static_cast<size_t>(rank)];
  if (!is_near(rank)) {
    // Two on their way may overtake each other; each comes behind what was put before it.
    signal_op<FromLibrary>(world_hot_, &theirs->told, uint64_t{1}, SignalChange::add, pe(rank), routine);
    return;
  }
  // Release: what was put; pairs with the acquire in wait_for_cell().
  store_release(&reinterpret_cast<TeamCell*>(near(rank, theirs))->told, number);
  world_hot_.peers[pe(rank)].bell->ring(BellScope::host);
}

void Team::await(int rank, const char* routine) {
  wait_for_cell(rank, &cell(rank_, rank)->told, ++heard_[static_cast<size_t>(rank)], "word", routine);
}

void Team::tell_call(uint64_t number, const char* routine) {
  bool far = false;
  for (int rank = 0; rank < size(); ++rank) {
    TeamCell* theirs = cell(rank, rank_);
    if (rank == rank_) {
      continue;
    }
    if (is_near(rank)) {
      // Release: which collective it is; pairs with the acquire in await_call() and is_awaited_by().
      store_release(&reinterpret_cast<TeamCell*>(near(rank, theirs))->called, number);
      world_hot_.peers[pe(rank)].bell->ring(BellScope::host);
    } else {
      signal_op<FromLibrary>(world_hot_, &theirs->called, number, SignalChange::set, pe(rank), routine);
      far = true;
    }
  }
  if (far) {
    quiet(routine);
  }
}

bool Team::await_call(int rank, uint64_t number, FunctionRef<bool()> stop, const char* routine) {
  constexpr uint64_t kPatienceNs = 20'000'000;  // between two looks at more than the cell
  const auto come = [&] { return has_called(rank, number); };
  const int from = pe(rank);
  LeftWatch watch(world_, from);
  uint64_t stop_at = monotonic_ns() + kPatienceNs;
  bool stopped = false;
  const auto over = [&] {
    if (come() || watch.left()) {
      return true;
    }
    if (const uint64_t now = monotonic_ns(); now >= stop_at) {
      stop_at = now + kPatienceNs;
      stopped = stop();
    }
    return stopped;
  };
  wait_for(world_, world_.bell(), over, WakenBy::anyone, routine, [&] {
    return fmt::format("pe {} waits in {} for PE {} (number {} of the team of {} PEs, seen {})", world_.my_pe(), routine, from, number,
                       size(), load_acquire(&cell(rank_, rank)->called));
  });
  if (!stopped && !come()) {
    world_.left_early(routine, from);
  }
  return !stopped;
}

bool Team::has_called(int rank, uint64_t number) const { return load_acquire(&cell(rank_, rank)->called) >= number; }

bool Team::is_awaited_by(int rank) const { return load_acquire(&cell(rank_, rank)->called) > calls_; }

void Team::put(int rank, void* dest, const void* source, size_t bytes, const char* routine) const {
  if (rank == rank_) {
    if (dest != source) {
      transport::copy_bytes(dest, source, bytes);
    }
    return;
  }
  // From here on blocks of a collective are more than the second-level caches of both sides hold: each line that is
  // written through them is fetched from the other side first. (Past them, 64 KiB are half as fast.)
  constexpr size_t kPastCaches = 512u << 10;
  if (bytes >= kPastCaches && is_near(rank)) {
    copy_to_other_core(near(rank, dest), source, bytes);
    world_hot_.peers[pe(rank)].bell->ring(BellScope::host);
    return;
  }
  shmem::put<FromLibrary, 1, Completion::nbi>(world_hot_, dest, source, bytes, pe(rank), routine);
}

void Team::get(int rank, void* dest, const void* source, size_t bytes, const char* routine) const {
  if (rank == rank_) {
    transport::copy_bytes(dest, source, bytes);
    return;
  }
  shmem::get<FromLibrary, 1>(world_hot_, dest, source, bytes, pe(rank), routine);
}

void Team::quiet(const char* routine) const { shmem::quiet(routine); }

}  // namespace canopy::shmem
