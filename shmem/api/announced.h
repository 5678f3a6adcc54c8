// What the debug mode hears of a collective of the program's before it begins (debug/guard.h). Elsewhere
// that is a look at a pointer: whatever it takes to tell is in cold functions, which get what the caller
// has in registers anyway.
#pragma once

#include "shmem/debug/guard.h"
#include "shmem/team/team.h"
#include "shmem/world/world.h"

namespace canopy::shmem {

inline bool is_guarded(const Team& team) { return team.world().guard() != nullptr; }

[[gnu::cold, gnu::noinline]] inline void announce(Team& team, const CollectiveCall& call) {
  team.world().guard()->collective(team, call);
}
[[gnu::cold, gnu::noinline]] inline void announce_bare(Team& team, const char* routine) {
  announce(team, {.routine = routine});
}
[[gnu::cold, gnu::noinline]] inline void announce_bare(World& world, const char* routine) {
  announce(world.teams().all(), {.routine = routine});
}

// One without arguments: of a team, of all PEs.
inline Team& announced(Team& team, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_bare(team, routine);
  }
  return team;
}
inline World& announced(World& world, const char* routine) {
  if (world.guard() != nullptr) [[unlikely]] {
    announce_bare(world, routine);
  }
  return world;
}

}  // namespace canopy::shmem
