#include "shmem/collectives/collectives.h"
#include "shmem/collectives/objects.h"

#include <algorithm>
#include <cstring>

namespace canopy::shmem {
namespace {

struct Block {
  size_t offset;  // in dest
  size_t bytes;
};

// Every member writes its block to all of its group, and to one of each other group, who hands it on there.
void gather(Team& team, void* dest, const void* source, FunctionRef<Block(int rank)> block_of, const char* routine) {
  const auto& group = team.group();
  const auto hand_out = [&](const Block& block, const void* data) {
    for (const int rank : group) {
      team.put(rank, at(dest, block.offset), data, block.bytes, routine);
    }
  };
  const Block mine = block_of(team.rank());
  hand_out(mine, source);
  if (team.all_near()) {
    team.sync(routine);
    return;
  }
  const auto index = static_cast<size_t>(std::find(group.begin(), group.end(), team.rank()) - group.begin());
  for (size_t i = 0; i < team.groups().size(); ++i) {
    const auto& other = team.groups()[i];
    if (i != team.own_group()) {
      const int partner = other[index % other.size()];
      team.put(partner, at(dest, mine.offset), source, mine.bytes, routine);
      team.tell(partner, routine);
    }
  }
  for (size_t i = 0; i < team.groups().size(); ++i) {
    const auto& other = team.groups()[i];
    for (size_t j = index; i != team.own_group() && j < other.size(); j += group.size()) {
      team.await(other[j], routine);
      const Block theirs = block_of(other[j]);
      hand_out(theirs, at(dest, theirs.offset));
    }
  }
  team.quiet(routine);  // the source is the program's again
  team.sync_group(routine);
}

}  // namespace

void fcollect(Team& team, void* dest, const void* source, size_t bytes, const char* routine) {
  if (bytes == 0) {
    return;
  }
  const auto size = static_cast<size_t>(team.size());
  dest = require_symmetric(team, dest, saturated(bytes, size), routine);
  source = require_symmetric(team, source, bytes, routine);
  if (bytes <= TeamCell::kPayload && team.all_near() && !team.crowded()) {
    std::vector<Payload>& parts = team.parts();
    team.exchange([source](int) { return source; }, bytes, parts, routine);
    for (size_t rank = 0; rank < size; ++rank) {
      std::memcpy(at(dest, rank * bytes), parts[rank].bytes, bytes);
    }
    return;
  }
  gather(team, dest, source, [bytes](int rank) { return Block{static_cast<size_t>(rank) * bytes, bytes}; }, routine);
}

void collect(Team& team, void* dest, const void* source, size_t bytes, const char* routine) {
  if (bytes != 0) {
    source = require_symmetric(team, source, bytes, routine);
  }
  Payload mine;
  std::memcpy(mine.bytes, &bytes, sizeof bytes);
  std::vector<Block> blocks;
  size_t end = 0;
  for (const Payload& part : team.exchange_all(mine, routine)) {
    size_t theirs = 0;
    std::memcpy(&theirs, part.bytes, sizeof theirs);
    blocks.push_back({end, theirs});
    end += theirs;
  }
  if (end == 0) {
    return;
  }
  dest = require_symmetric(team, dest, end, routine);
  gather(team, dest, source, [&](int rank) { return blocks[static_cast<size_t>(rank)]; }, routine);
}

}  // namespace canopy::shmem
