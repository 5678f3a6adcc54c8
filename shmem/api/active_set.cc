#include "shmem/api/active_set.h"

#include "shmem/collectives/objects.h"
#include "shmem/sync/compare.h"

namespace canopy::shmem {

Team& active_set(const ActiveSet& set, long* sync_array, const char* routine) {
  World& world = world_for(routine);
  constexpr int kBits = 31;
  const bool strides = set.log_stride >= 0 && set.log_stride < kBits;
  const Triplet triplet{set.start, strides ? 1 << set.log_stride : 0, set.size};
  if (!strides || !triplet.fits(world.n_pes()) || triplet.rank_of(world.my_pe()) < 0) {
    world.fail_job(kMisuseStatus,
                   fmt::format("pe {}: {}: PE_start {}, logPE_stride {}, PE_size {} is no active set of this PE's among "
                               "{} PEs",
                               world.my_pe(), routine, set.start, set.log_stride, set.size, world.n_pes()));
  }
  sync_array = require_symmetric(world.teams().all(), sync_array, sizeof(long), routine);
  static_assert(sizeof(long) == sizeof(uint64_t), "pSync is the mailbox");
  const auto team = world.teams().active_set(triplet, reinterpret_cast<uint64_t*>(sync_array), routine);
  if (!team) {
    world.fail_job(kMisuseStatus, error_text::newest());
  }
  return **team;
}

void require_member(const Team& team, int rank, const char* routine) {
  if (rank < 0 || rank >= team.size()) {
    World& world = team.world();
    world.fail_job(kMisuseStatus, fmt::format("pe {}: {}: PE_root {} is not below the {} PEs of the team", world.my_pe(),
                                              routine, rank, team.size()));
  }
}

}  // namespace canopy::shmem
