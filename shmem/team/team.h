// Team: an ordered set of PEs that communicate collectively, as one of its members sees it; and the few ways of
// talking that its collectives are made of:
//
//   sync()              all meet
//   exchange()          each gives each other up to 16 bytes
//   tell() / await()    one says to one that something is there; counted, so that no two are confused
//   put(), get()        bytes, to and from members near or far; nbi ones are complete after quiet()
//
// Members make the same calls in the same order; one thread of a PE at a time. Waits end the job with a sentence
// when they pass CANOPY_TIMEOUT. A far member is one that loads and stores do not reach.
#pragma once

#include "shmem/sync/gathering.h"
#include "shmem/team/team_area.h"
#include "shmem/world/hot.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace canopy::shmem {

// What one member gives in an exchange.
struct Payload {
  alignas(8) std::byte bytes[TeamCell::kPayload] = {};
};

class Team {
 public:
  // `pes` by rank, this PE among them; places[rank] is which team area of its own each member uses.
  Team(World& world, std::vector<int> pes, std::vector<uint32_t> places, int num_contexts);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(pes_.size()); }
  int rank() const { return rank_; }
  int pe(int rank) const { return pes_[static_cast<size_t>(rank)]; }
  const std::vector<int>& pes() const { return pes_; }
  int rank_of(int pe) const;  // -1: not a member
  World& world() const { return world_; }
  uint32_t place() const { return places_[static_cast<size_t>(rank_)]; }
  int num_contexts() const { return num_contexts_; }

  bool all_near() const { return gathering_.all_near(); }
  // More members on this host than CPUs: they meet in one place, and then each should wait once.
  bool crowded() const { return crowded_; }
  const std::vector<std::vector<int>>& groups() const { return gathering_.groups(); }
  size_t own_group() const { return gathering_.own_group(); }
  const std::vector<int>& group() const { return groups()[own_group()]; }

  // Where the object that `address` names lies at a member; null when loads and stores do not reach it, or it is not
  // symmetric.
  std::byte* near(int rank, const void* address) const {
    if (rank == rank_) {
      return static_cast<std::byte*>(const_cast<void*>(address));
    }
    return translate<1>(world_hot_, address, 0, pe(rank)).at;
  }
  bool is_near(int rank) const { return rank == rank_ || world_hot_.peers[pe(rank)].bytes != 0; }

  void sync(const char* routine) { gathering_.sync(world_, routine); }
  void sync_group(const char* routine) { gathering_.sync_group(world_, routine); }
  // REQUIRES: all_near() && crowded(). The last to arrive does all the work.
  void sync_after(FunctionRef<void()> work, const char* routine) {
    gathering_.barrier().sync_after(world_, work, routine);
  }

  // out[rank] is what each gave to us; mine(rank) is what we give, and is asked once for each.
  void exchange(FunctionRef<const void*(int rank)> mine, size_t bytes, std::span<Payload> out, const char* routine);
  std::vector<Payload> exchange_all(const Payload& mine, const char* routine);
  // Room for one exchange's parts, by rank: of whoever is in a collective of this team now.
  std::vector<Payload>& parts() { return parts_; }

  // Everything put to `rank` before is there when it has heard this.
  void tell(int rank, const char* routine);
  void await(int rank, const char* routine);

  // `dest` and `source` of the remote side by our own address of the object.
  void put(int rank, void* dest, const void* source, size_t bytes, const char* routine) const;
  void get(int rank, void* dest, const void* source, size_t bytes, const char* routine) const;
  void quiet(const char* routine) const;

  // Debug mode: the number of the program's next collective on this team, and where a member says which it is, by our
  // address of the same offset.
  uint64_t next_call() { return ++calls_; }
  // Tells the others that this one is in that collective.
  void tell_call(uint64_t number, const char* routine);
  // Waits until a member is in it, or stop() after some time is true, and then again and again: false.
  bool await_call(int rank, uint64_t number, FunctionRef<bool()> stop, const char* routine);
  // Whether a member has told of it.
  bool has_called(int rank, uint64_t number) const;
  // A member is in a collective that this one has not begun.
  bool is_awaited_by(int rank) const;
  uint64_t call_number() const { return calls_; }
  TeamCall* call_of(int rank) const { return reinterpret_cast<TeamCall*>(area_of(rank) + TeamArea::call_at(size())); }

 private:
  std::byte* area_of(int rank) const;  // its team area, by our address of the same offset
  TeamCell* cell(int owner, int writer) const;
  void wait_for_cell(int writer, const uint64_t* word, uint64_t wanted, const char* what, const char* routine);

  World& world_;
  const Hot& world_hot_;
  const std::vector<int> pes_;
  const std::vector<uint32_t> places_;
  const int num_contexts_;
  int rank_ = 0;
  bool crowded_ = false;
  Gathering gathering_;
  std::vector<Payload> parts_;
  uint64_t exchanges_ = 0;
  uint64_t calls_ = 0;
  std::vector<uint64_t> told_;   // by rank: how often we told it
  std::vector<uint64_t> heard_;  // by rank: how often we have waited for it
};

}  // namespace canopy::shmem
