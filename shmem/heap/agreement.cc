#include "shmem/heap/agreement.h"

#include "shmem/world/world.h"

#include <algorithm>
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
  // The barrier publishes the record and makes PE 0's visible.
  world.barrier_all();
  const HeapRequest& theirs = world.control(0).requests[sequence % 2].request;
  if (!same(mine, theirs)) [[unlikely]] {
    world.fail_job(
        kMisuseStatus,
        fmt::format("symmetric heap: PEs disagree on request {}: pe {} asked for {}, pe 0 for {}; "
                    "collective calls need equal arguments on all PEs",
                    sequence, world.my_pe(), describe(mine), describe(theirs)));
  }
}

}  // namespace canopy::shmem
