#include "shmem/collectives/collectives.h"
#include "shmem/collectives/objects.h"

#include <cstring>

namespace canopy::shmem {
namespace {

// What was put to all members is there when all have met.
void meet(Team& team, const char* routine) {
  if (!team.all_near()) {
    team.quiet(routine);
  }
  team.sync(routine);
}

// Element by element: between strides nothing may be touched.
void put_strided(Team& team, int rank, std::byte* dest, const std::byte* source, size_t nelems, const Strided& strides,
                 const char* routine) {
  const size_t bytes = strides.element_bytes;
  if (strides.dest == 1 && strides.source == 1) {
    team.put(rank, dest, source, nelems * bytes, routine);
    return;
  }
  const auto dest_step = static_cast<size_t>(strides.dest) * bytes;
  const auto source_step = static_cast<size_t>(strides.source) * bytes;
  if (team.is_near(rank)) {
    std::byte* to = team.near(rank, dest);
    for (size_t i = 0; i < nelems; ++i) {
      std::memcpy(to + i * dest_step, source + i * source_step, bytes);
    }
    return;
  }
  for (size_t i = 0; i < nelems; ++i) {
    team.put(rank, dest + i * dest_step, source + i * source_step, bytes, routine);
  }
}

}  // namespace

void alltoall(Team& team, void* dest, const void* source, size_t bytes, const char* routine) {
  if (bytes == 0) {
    return;
  }
  const int size = team.size();
  const int me = team.rank();
  const size_t all = saturated(bytes, static_cast<size_t>(size));
  dest = require_symmetric(team, dest, all, routine);
  source = require_symmetric(team, source, all, routine);
  if (bytes <= TeamCell::kPayload && team.all_near() && !team.crowded()) {
    std::vector<Payload>& parts = team.parts();
    team.exchange([&](int rank) -> const void* { return at(source, static_cast<size_t>(rank) * bytes); }, bytes, parts,
                  routine);
    for (size_t rank = 0; rank < parts.size(); ++rank) {
      std::memcpy(at(dest, rank * bytes), parts[rank].bytes, bytes);
    }
    return;
  }
  // Each begins behind itself, so that not all write to one.
  for (int step = 0; step < size; ++step) {
    const int to = (me + step) % size;
    team.put(to, at(dest, static_cast<size_t>(me) * bytes), at(source, static_cast<size_t>(to) * bytes), bytes, routine);
  }
  meet(team, routine);
}

void alltoalls(Team& team, void* dest, const void* source, size_t nelems, const Strided& strides, const char* routine) {
  if (nelems == 0) {
    return;
  }
  const int size = team.size();
  if (strides.dest < 1 || strides.source < 1) {
    team.world().fail_job(kMisuseStatus, fmt::format("pe {}: {}: strides {} and {}: the least is 1", team.world().my_pe(),
                                                     routine, strides.dest, strides.source));
  }
  const size_t elements = saturated(static_cast<size_t>(size), nelems);
  const auto extent = [&](ptrdiff_t stride) {  // without the gap behind the last
    const size_t steps = saturated(elements - 1, static_cast<size_t>(stride));
    return saturated(steps == SIZE_MAX ? steps : steps + 1, strides.element_bytes);
  };
  dest = require_symmetric(team, dest, extent(strides.dest), routine);
  source = require_symmetric(team, source, extent(strides.source), routine);
  const auto block = [&](int rank, ptrdiff_t stride) {
    return static_cast<size_t>(rank) * nelems * static_cast<size_t>(stride) * strides.element_bytes;
  };
  for (int step = 0; step < size; ++step) {
    const int to = (team.rank() + step) % size;
    put_strided(team, to, at(dest, block(team.rank(), strides.dest)), at(source, block(to, strides.source)), nelems,
                strides, routine);
  }
  meet(team, routine);
}

}  // namespace canopy::shmem
