// OpenContext: a context that a program has created. Contexts: all of a World.
//
// On memory that loads and stores reach, a context is a Hot of its own and nothing else: order is
// the CPU's. Towards far PEs it has a context of each transport, with its own order and quiet. A
// context for a team is the same with the team's PEs in place of the job's.
//
// Creation and destruction: any thread, one mutex. Operations read what is here without locks.
#pragma once

#include "runtime/base/result.h"
#include "shmem/context/context_slots.h"
#include "shmem/context/pending_fetches.h"
#include "shmem/debug/front.h"
#include "transport/base/transport.h"

#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy::shmem {

class World;

struct ContextOptions {
  bool serialized = false;
  bool is_private = false;
  bool no_store = false;
};

// Which PEs a context knows by which numbers.
struct ContextTeam {
  const void* team = nullptr;  // whose context it is; null: the world's
  std::vector<int> pes;  // of the job, by number in the team; empty: all, by their own numbers
};

class OpenContext {
 public:
  OpenContext(World& world, ContextOptions options, ContextTeam team);

  const void* team() const { return team_.team; }
  const ContextOptions& options() const { return options_; }
  // The number in the job of the context's PE `pe`. REQUIRES: pe < n_pes of its Hot.
  int job_pe(int pe) const { return team_.pes.empty() ? pe : team_.pes[static_cast<size_t>(pe)]; }
  // The posting side towards `pe` (of the job); null when loads and stores are the way.
  transport::Context* way_to(int job_pe) const;
  const std::vector<std::unique_ptr<transport::Context>>& ways() const { return ways_; }
  PendingFetches& fetches() { return fetches_; }
  // Ends the job when the context is private and the caller not its creator.
  void check_owner(uintptr_t handle) const;

 private:
  friend class Contexts;
  Result<> open_ways();
  // The World's Hot as this context's operations see it. Again after the World's has changed.
  Hot make_hot();
  Hot make_true_hot();

  World& world_;
  const ContextOptions options_;
  const ContextTeam team_;
  const std::thread::id creator_ = std::this_thread::get_id();
  std::vector<PeerEntry> peers_;                           // of a team's context
  Hot behind_;                                             // debug mode: what front_ stands before
  Front front_;
  std::vector<std::unique_ptr<transport::Context>> ways_;  // in the order of the World's transports
  PendingFetches fetches_;
};

class Contexts {
 public:
  explicit Contexts(World& world) : world_(world) {}
  ~Contexts();

  // Errors: limit, and those of the transports.
  Result<ContextHandle> create(ContextOptions options, ContextTeam team = {});
  // Quiets it and lets it go. REQUIRES: a context of this World.
  void destroy(ContextHandle context, const char* routine);
  // The same for all that are open (of `team`, when there is one).
  void destroy_all(const char* routine);
  void destroy_all_of(const void* team, const char* routine);
  // The World's Hot has changed.
  void refresh();

 private:
  std::vector<ContextHandle> open_of(const void* team, bool all);

  World& world_;
  std::mutex mutex_;  // guards open_
  std::map<ContextHandle, std::unique_ptr<OpenContext>> open_;
};

}  // namespace canopy::shmem
