#include "shmem/heap/agreement.h"

#include "shmem/rma/far_ops.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace canopy::shmem {
namespace {

std::string describe(const HeapRequest& request) {
  const bool device = static_cast<HeapKind>(request.kind) == HeapKind::device;
  const char* prefix = device ? "aclshmem" : "shmem";
  switch (static_cast<HeapRoutine>(request.routine)) {
    case HeapRoutine::malloc:
      return fmt::format("{}_malloc({})", prefix, request.size);
    case HeapRoutine::calloc:
      return fmt::format("{}_calloc of {} bytes", prefix, request.size);
    case HeapRoutine::align:
      return fmt::format("{}_align({}, {})", prefix, request.alignment, request.size);
    case HeapRoutine::realloc:
      return fmt::format("{}_realloc(offset {}, {})", prefix, request.offset, request.size);
    case HeapRoutine::free:
      return fmt::format("{}_free(offset {})", prefix, request.offset);
    case HeapRoutine::device_heap:
      return fmt::format("a device heap of {} bytes", request.size);
  }
  return fmt::format("routine {}", request.routine);
}

bool same(const HeapRequest& a, const HeapRequest& b) {
  return a.sequence == b.sequence && a.routine == b.routine && a.kind == b.kind &&
         a.size == b.size && a.alignment == b.alignment && a.offset == b.offset;
}

// PE 0 is in another group than the caller, which leads its own.
HeapRequest request_of_pe0(World& world, uint64_t sequence) {
  if (world.far() == nullptr || world.far()->way_to(0) == nullptr) {
    return world.control(0).requests[sequence % 2].request;
  }
  HeapRequest request;
  const uint64_t at =
      offsetof(ControlPage, requests) + (sequence % 2) * sizeof(ControlPage::Request);
  far_get_from(world, &request, {0, FarPaths::kControlPage, at}, sizeof request,
               "the agreement on the symmetric heap");
  return request;
}

}  // namespace

void agree(World& world, const HeapCall& call) {
  ControlPage& own = world.control(world.my_pe());
  // The number lives in the page itself: the later of the two records is this PE's last request.
  const uint64_t last =
      std::max(own.requests[0].request.sequence, own.requests[1].request.sequence);
  const uint64_t sequence = last + 1;
  HeapRequest& mine = own.requests[sequence % 2].request;
  mine = HeapRequest{.sequence = sequence,
                     .routine = static_cast<uint32_t>(call.routine),
                     .kind = static_cast<uint32_t>(call.kind),
                     .size = call.size,
                     .alignment = call.alignment,
                     .offset = call.offset};
  // The barrier publishes the record and makes the others' visible.
  world.barrier_all();
  // Everybody compares with the leader of its group, and leaders compare with PE 0.
  const PathPlan& plan = world.plan();
  const int leader = plan.groups()[static_cast<size_t>(plan.group_of(world.my_pe()))].front();
  const HeapRequest theirs = leader == world.my_pe() && leader != 0
                                 ? request_of_pe0(world, sequence)
                                 : world.control(leader).requests[sequence % 2].request;
  if (!same(mine, theirs)) [[unlikely]] {
    world.fail_job(
        kMisuseStatus,
        fmt::format("symmetric heap: PEs disagree on request {}: pe {} asked for {}, pe {} for {}; "
                    "collective calls need equal arguments on all PEs",
                    sequence, world.my_pe(), describe(mine), leader == world.my_pe() ? 0 : leader,
                    describe(theirs)));
  }
}

}  // namespace canopy::shmem
