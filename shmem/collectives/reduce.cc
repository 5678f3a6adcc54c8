#include "shmem/collectives/collectives.h"
#include "shmem/collectives/objects.h"
#include "transport/base/copy.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace canopy::shmem {
namespace {

// Up to here the last of a crowd does the work of all: cheaper than waiting twice.
constexpr size_t kLastDoesAll = 32u << 10;
// Stays in the first-level cache between reading and writing; what is fetched comes in larger pieces.
constexpr size_t kNearBlock = 8u << 10;
constexpr size_t kFarBlock = 256u << 10;

// Elements from .. to-1.
struct Range {
  size_t from;
  size_t to;
};

// Part `index` of `of`; parts begin at cache lines of what `range` begins with.
Range part(const Range& range, size_t of, size_t index, size_t element_bytes) {
  const size_t unit = std::max<size_t>(1, kCacheLine / element_bytes);
  const size_t units = (range.to - range.from + unit - 1) / unit;
  const auto begin = [&](size_t i) { return std::min(range.to, range.from + units * i / of * unit); };
  return {begin(index), begin(index + 1)};
}

// One collective's arguments.
struct Work {
  Team& team;
  void* dest;
  const void* source;
  const Operation& op;
  const char* routine;

  size_t bytes(size_t nelems) const { return nelems * op.element_bytes; }
};

// A member's elements, here or fetched into `room`.
const std::byte* seen(const Work& work, int rank, const void* object, size_t from, size_t nelems, std::byte* room) {
  const std::byte* address = at(object, work.bytes(from));
  if (work.team.is_near(rank)) {
    return work.team.near(rank, address);
  }
  work.team.get(rank, room, address, work.bytes(nelems), work.routine);
  return room;
}

// Room for the blocks of one range: on the stack where the members are near.
class Blocks {
 public:
  Blocks(const Work& work, std::span<const int> ranks) {
    const bool near = std::all_of(ranks.begin(), ranks.end(), [&](int rank) { return work.team.is_near(rank); });
    bytes_ = near ? kNearBlock : kFarBlock;
    if (!near) {
      more_ = std::make_unique_for_overwrite<std::byte[]>(2 * kFarBlock);
    }
  }
  size_t elements(size_t element_bytes) const { return bytes_ / element_bytes; }
  std::byte* result() { return more_ ? more_.get() : few_; }
  std::byte* fetched() { return more_ ? more_.get() + kFarBlock : nullptr; }

 private:
  size_t bytes_;
  alignas(kCacheLine) std::byte few_[kNearBlock];
  std::unique_ptr<std::byte[]> more_;
};

// Combines `object` of the members `ranks` over `range`, block by block; deliver(first element, block, elements)
// takes each result when all its inputs have been read.
template <class Deliver>
void combine(const Work& work, std::span<const int> ranks, const void* object, const Range& range, Deliver&& deliver) {
  Blocks blocks(work, ranks);
  const size_t most = blocks.elements(work.op.element_bytes);
  for (size_t from = range.from; from < range.to; from += most) {
    const size_t nelems = std::min(most, range.to - from);
    std::byte* result = blocks.result();
    if (const std::byte* first = seen(work, ranks.front(), object, from, nelems, result); first != result) {
      std::memcpy(result, first, work.bytes(nelems));
    }
    for (const int rank : ranks.subspan(1)) {
      work.op.combine(result, seen(work, rank, object, from, nelems, blocks.fetched()), nelems);
    }
    deliver(from, result, nelems);
  }
}

// The result of `range`, to all members of this one's group.
void combine_for_group(const Work& work, const Range& range) {
  combine(work, work.team.group(), work.source, range, [&](size_t from, const std::byte* block, size_t nelems) {
    for (const int rank : work.team.group()) {
      std::memcpy(work.team.near(rank, at(work.dest, work.bytes(from))), block, work.bytes(nelems));
    }
  });
}

// Each of `peers`, one per group, has its group's result of `range` in its dest: all get the whole result. Each
// combines one part of it, which nobody else reads or writes until it is told.
void combine_between_groups(const Work& work, std::span<const int> peers, const Range& range) {
  Team& team = work.team;
  const auto others = [&](auto&& each) {
    for (const int rank : peers) {
      if (rank != team.rank()) {
        each(rank);
      }
    }
  };
  others([&](int rank) { team.tell(rank, work.routine); });
  others([&](int rank) { team.await(rank, work.routine); });
  const Range mine = part(range, peers.size(), team.own_group(), work.op.element_bytes);
  std::byte* result = at(work.dest, work.bytes(mine.from));
  combine(work, peers, work.dest, mine, [&](size_t from, const std::byte* block, size_t nelems) {
    std::memcpy(at(work.dest, work.bytes(from)), block, work.bytes(nelems));
  });
  others([&](int rank) {
    team.put(rank, result, result, work.bytes(mine.to - mine.from), work.routine);
    team.tell(rank, work.routine);
  });
  others([&](int rank) { team.await(rank, work.routine); });
  team.quiet(work.routine);
}

// First within each group, then between groups, then within each group again. As many members of each group work as
// the smallest has.
void reduce_far(const Work& work, const Range& all) {
  Team& team = work.team;
  size_t workers = team.group().size();
  for (const auto& group : team.groups()) {
    workers = std::min(workers, group.size());
  }
  const auto& group = team.group();
  const auto index = static_cast<size_t>(std::find(group.begin(), group.end(), team.rank()) - group.begin());
  team.sync_group(work.routine);  // all sources are there
  if (index < workers) {
    const Range mine = part(all, workers, index, work.op.element_bytes);
    combine(work, group, work.source, mine, [&](size_t from, const std::byte* block, size_t nelems) {
      std::memcpy(at(work.dest, work.bytes(from)), block, work.bytes(nelems));
    });
    std::vector<int> peers;
    for (const auto& other : team.groups()) {
      peers.push_back(other[index]);
    }
    combine_between_groups(work, peers, mine);
    std::byte* result = at(work.dest, work.bytes(mine.from));
    for (const int rank : group) {
      team.put(rank, result, result, work.bytes(mine.to - mine.from), work.routine);
    }
  }
  team.sync_group(work.routine);
}

// One element of a few bytes from each: every member combines for itself, in the same order.
void reduce_few(const Work& work, size_t nelems) {
  std::vector<Payload>& parts = work.team.parts();
  work.team.exchange([&](int) { return work.source; }, work.bytes(nelems), parts, work.routine);
  for (size_t rank = 1; rank < parts.size(); ++rank) {
    work.op.combine(parts[0].bytes, parts[rank].bytes, nelems);
  }
  std::memcpy(work.dest, parts[0].bytes, work.bytes(nelems));
}

// This member's part of a scan: through all members in their order.
void scan_range(const Work& work, const Range& range, Scan kind) {
  Team& team = work.team;
  std::vector<int> ranks(static_cast<size_t>(team.size()));
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    ranks[rank] = static_cast<int>(rank);
  }
  Blocks blocks(work, ranks);
  const size_t most = blocks.elements(work.op.element_bytes);
  const auto own = std::make_unique_for_overwrite<std::byte[]>(work.bytes(std::min(most, range.to - range.from)));
  for (size_t from = range.from; from < range.to; from += most) {
    const size_t nelems = std::min(most, range.to - from);
    const size_t bytes = work.bytes(nelems);
    std::byte* sum = blocks.result();
    std::memset(sum, 0, bytes);
    for (const int rank : ranks) {
      // Its dest may be its source: read first.
      std::memcpy(own.get(), seen(work, rank, work.source, from, nelems, blocks.fetched()), bytes);
      if (kind == Scan::inclusive) {
        work.op.combine(sum, own.get(), nelems);
      }
      team.put(rank, at(work.dest, work.bytes(from)), sum, bytes, work.routine);
      if (!team.is_near(rank)) {
        team.quiet(work.routine);  // the next sum takes the place of this one
      }
      if (kind == Scan::exclusive) {
        work.op.combine(sum, own.get(), nelems);
      }
    }
  }
}

}  // namespace

void reduce(Team& team, void* dest, const void* source, size_t nelems, const Operation& op, const char* routine) {
  Work work{team, dest, source, op, routine};
  if (nelems == 0) {
    return;
  }
  work.dest = require_symmetric(team, dest, saturated(nelems, op.element_bytes), routine);
  work.source = require_symmetric(team, source, saturated(nelems, op.element_bytes), routine);
  const Range all{0, nelems};
  if (!team.all_near()) {
    reduce_far(work, all);
  } else if (team.size() == 1) {
    team.put(0, dest, source, work.bytes(nelems), routine);
  } else if (team.crowded() && work.bytes(nelems) <= kLastDoesAll) {
    team.sync_after([&] { combine_for_group(work, all); }, routine);
  } else if (!team.crowded() && work.bytes(nelems) <= TeamCell::kPayload) {
    reduce_few(work, nelems);
  } else {
    team.sync(routine);  // all sources are there
    combine_for_group(work, part(all, static_cast<size_t>(team.size()), static_cast<size_t>(team.rank()), op.element_bytes));
    team.sync(routine);
  }
}

void scan(Team& team, void* dest, const void* source, size_t nelems, const Operation& sum, Scan kind,
          const char* routine) {
  Work work{team, dest, source, sum, routine};
  if (nelems == 0) {
    return;
  }
  work.dest = require_symmetric(team, dest, saturated(nelems, sum.element_bytes), routine);
  work.source = require_symmetric(team, source, saturated(nelems, sum.element_bytes), routine);
  const Range all{0, nelems};
  if (team.all_near() && team.crowded() && work.bytes(nelems) <= kLastDoesAll) {
    team.sync_after([&] { scan_range(work, all, kind); }, routine);
    return;
  }
  team.sync(routine);  // all sources are there
  scan_range(work, part(all, static_cast<size_t>(team.size()), static_cast<size_t>(team.rank()), sum.element_bytes), kind);
  team.sync(routine);
}

}  // namespace canopy::shmem
