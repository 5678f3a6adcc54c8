// The part of Guard that compares what the members of a team call.
#include "shmem/debug/guard.h"
#include "shmem/debug/whereabouts.h"

#include "shmem/team/team.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace canopy::shmem {
namespace {

// FNV-1a. Two calls that differ have one chance in 2^64 to look equal.
uint64_t digest_of(const TeamCall& call) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto byte : std::as_bytes(std::span(&call, 1))) {
    hash = (hash ^ std::to_integer<uint64_t>(byte)) * 0x100000001b3;
  }
  return hash;
}

uint64_t offset_of(const Hot& hot, const void* address) {
  return address == nullptr ? 0 : reinterpret_cast<uintptr_t>(in_user_area(hot, address)) - hot.base;
}

TeamCall record_of(const Hot& hot, const CollectiveCall& call) {
  TeamCall record;
  std::memset(&record, 0, sizeof record);  // the padding too: it is in the digest
  std::strncpy(record.routine, call.routine, sizeof record.routine - 1);
  record.element_bytes = call.element_bytes;
  record.nelems = call.own_sizes ? 0 : call.nelems;
  // Where nothing moves, addresses mean nothing. (free's is in source, and counts as one element.)
  const bool some = call.nelems != 0 && !call.own_sizes;
  record.dest = some ? offset_of(hot, call.dest) : 0;
  record.source = some ? offset_of(hot, call.source) : 0;
  record.root = call.root;
  record.dst = call.dst;
  record.sst = call.sst;
  return record;
}

// "shmem_long_broadcast (4 elements of 8 bytes, root 0)"; addresses only where they are what differs.
std::string text_of(const TeamCall& call, bool with_addresses) {
  std::string arguments;
  const auto add = [&](const std::string& more) { arguments += (arguments.empty() ? " (" : ", ") + more; };
  if (call.element_bytes != 0) {
    add(extent_text(call.nelems, call.element_bytes));
  }
  if (call.root >= 0) {
    add(fmt::format("root {}", call.root));
  }
  if (call.dst != 0 || call.sst != 0) {
    add(fmt::format("strides {} and {}", call.dst, call.sst));
  }
  if (with_addresses && call.dest != 0) {
    add(fmt::format("dest at offset {:#x} and source at {:#x} of symmetric memory", call.dest, call.source));
  } else if (with_addresses) {  // a block to be freed or made larger
    add(call.source == 0 ? "of null" : fmt::format("of the block at offset {:#x} of symmetric memory", call.source));
  }
  return arguments.empty() ? call.routine : call.routine + arguments + ")";
}

bool differ_in_addresses_only(TeamCall a, const TeamCall& b) {
  a.nelems = a.element_bytes == 0 ? b.nelems : a.nelems;
  a.dest = b.dest;
  a.source = b.source;
  return digest_of(a) == digest_of(b);
}

}  // namespace

// dest and source of one call, as for an operation on this PE itself.
void Guard::check_buffers(const CollectiveCall& call) {
  const Hot& hot = world_.hot();
  const Call here{hot, world_.my_pe(), call.routine};
  if (call.dest_bytes == 0 || call.source_bytes == 0 || !is_target(here, call.dest, call.dest_bytes) ||
      !is_target(here, call.source, call.source_bytes)) {
    return;  // moves nothing, or is refused by itself
  }
  require_live(call.routine, Side::dest, call.dest, call.dest_bytes);
  require_live(call.routine, Side::source, call.source, call.source_bytes);
  if (!(call.in_place && call.dest == call.source)) {
    require_apart(here, call.dest, call.dest_bytes, call.source, call.source_bytes);
  }
}

// A member of `team` for which this PE waits there, and which waits for this PE in a collective of another team. Only the lower of
// the two PEs tells.
Guard::Crossing Guard::crossing(const Team& team) const {
  if (threads_.load(std::memory_order_relaxed)) {
    return {};
  }
  const std::vector<Team*> all = world_.teams().all_of_own();
  for (int rank = 0; rank < team.size(); ++rank) {
    const int other = team.pe(rank);
    if (other <= world_.my_pe() || team.has_called(rank, team.call_number())) {
      continue;
    }
    for (Team* each : all) {
      const int its = each == &team ? -1 : each->rank_of(other);
      // In this order: it may have come since, and have gone on to where it is seen.
      if (its >= 0 && each->is_awaited_by(its) && !team.has_called(rank, team.call_number())) {
        return {each, other};
      }
    }
  }
  return {};
}

// Returns when every member is in this collective of the team.
void Guard::meet(Team& team, const char* routine) {
  std::thread::id first{};
  // Relaxed: whether there are several, no more.
  if (const auto self = std::this_thread::get_id();
      !caller_.compare_exchange_strong(first, self, std::memory_order_relaxed) && first != self) {
    threads_.store(true, std::memory_order_relaxed);
  }
  team.tell_call(team.call_number(), routine);
  for (int rank = 0; rank < team.size(); ++rank) {
    Crossing found;
    if (rank == team.rank() ||
        team.await_call(rank, team.call_number(), [&] { return (found = crossing(team)).team != nullptr; }, routine)) {
      continue;
    }
    Team& there = *found.team;
    const int its = there.rank_of(found.pe);
    TeamCall theirs;
    there.get(its, &theirs, there.call_of(its), sizeof theirs, routine);
    fail(routine, fmt::format("the PEs' collectives do not match: PE {} waits for PE {} in {}, number {} of a team of {} PEs, and PE {} for "
                              "PE {} in {}, number {} of another team, of {} PEs",
                              world_.my_pe(), found.pe, text_of(*team.call_of(team.rank()), false), team.call_number(), team.size(),
                              found.pe, world_.my_pe(), text_of(theirs, false), there.call_number() + 1, there.size()));
  }
}

void Guard::collective(Team& team, const CollectiveCall& call) {
  const uint64_t number = team.next_call();
  const TeamCall mine = record_of(world_.hot(), call);
  *team.call_of(team.rank()) = mine;
  meet(team, call.routine);
  Payload payload;
  const uint64_t digest = digest_of(mine);
  std::memcpy(payload.bytes, &digest, sizeof digest);
  // Also publishes the record: an exchange orders what was stored before it.
  const std::vector<Payload> all = team.exchange_all(payload, call.routine);
  const auto other = std::find_if(all.begin(), all.end(), [&](const Payload& one) {
    return std::memcmp(one.bytes, all.front().bytes, sizeof digest) != 0;
  });
  if (other == all.end()) {
    check_buffers(call);
    return;
  }
  // All members see the same, so they all get here, with the same two to tell of.
  const int rank = static_cast<int>(other - all.begin());
  TeamCall first;
  TeamCall second;
  team.get(0, &first, team.call_of(0), sizeof first, call.routine);
  team.get(rank, &second, team.call_of(rank), sizeof second, call.routine);
  const bool addresses = differ_in_addresses_only(first, second);
  fail(call.routine,
       fmt::format("the PEs' collectives do not match: number {} of the team of {} PEs is {} on PE {} and {} on PE {}", number,
                   team.size(), text_of(first, addresses), team.pe(0), text_of(second, addresses), team.pe(rank)));
}

}  // namespace canopy::shmem
