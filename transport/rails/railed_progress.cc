// RailedContext, the part that moves stripes on: chunks that have arrived, chunks that go next, and
// rails that fail.
#include "runtime/base/clock.h"
#include "transport/rails/railed_context.h"
#include "transport/rails/railed_transport.h"

#include <algorithm>
#include <limits>

namespace canopy::transport::rails {
namespace {

// On one rail to one peer: while one arrives the next is on its way, and one waits for whoever
// moves things on.
constexpr int kWindow = 3;
// Of the time between two looks, what counts as silence of a rail: a process that was stopped, or
// got no core, has not listened.
constexpr uint64_t kLongestLookNs = 50'000'000;

bool has_failed(const RailPtr& rail) {
  return rail != nullptr && rail->failed.load(std::memory_order_relaxed);
}

// How much of `left` bytes, at most `chunk`, goes over this rail next: nothing when all that is left
// would be there sooner over the best of the others. That holds for at least one rail: the one that
// would have the chunk there first. A rail that did not pay lately is tried with a little.
size_t share_of(const Load& load, const std::vector<Load*>& loads, size_t chunk, size_t least,
                size_t left, uint64_t now) {
  double best_other = std::numeric_limits<double>::infinity();
  for (const Load* other : loads) {
    if (other != &load) {
      best_other = std::min(best_other, other->pace.ns_for(other->bytes + left));
    }
  }
  chunk = std::min(chunk, left);
  if (best_other == 0 || load.pace.ns_for(load.bytes + chunk) <= best_other) {
    return chunk;
  }
  least = std::min(least, left);
  return load.bytes == 0 && load.pace.hoped_ns_for(least, now) <= best_other ? least : 0;
}

}  // namespace

int RailedContext::work() {
  if (!mutex_.try_lock()) {
    return 0;  // somebody else does it
  }
  std::set<Transport*> rails;
  for (const Chunk& chunk : chunks_) {
    if (chunk.rail != nullptr && !has_failed(chunk.rail)) {
      rails.insert(chunk.rail->transport.get());
    }
  }
  int completed = 0;
  for (Transport* rail : rails) {
    completed += rail->progress();
  }
  const int settled = pump();
  mutex_.unlock();
  if (settled > 0) {
    transport_.arrived();  // somebody may sleep until now
  }
  return completed + settled;
}

int RailedContext::pump() {
  store_relaxed(&turns_, turns_ + 1);
  settled_ = 0;
  const uint64_t now = monotonic_ns();
  sweep_losses();
  collect(now);
  watch_silence(now);
  feed(now);
  finish_transfers();
  push_signals();
  push_quiets();
  update_busy();
  return settled_;
}

// Who waits for something with a lost peer hears it now; chunks that are still somewhere come back
// later and find nobody.
void RailedContext::sweep_losses() {
  const uint32_t losses = transport_.losses();
  if (losses == seen_losses_) [[likely]] {
    return;
  }
  seen_losses_ = losses;
  for (Transfer& transfer : transfers_) {
    const Errc code = transfer.dead ? Errc::ok : transport_.loss_code(transfer.at.peer);
    if (code != Errc::ok) {
      transfer.dead = true;
      if (transfer.ticket == nullptr) {
        note_failure(transfer.at.peer, transfer.seq, code);
      }
      settle(transfer.ticket, code);
      ++settled_;
    }
  }
  for (const Chunk& chunk : chunks_) {
    if (chunk.transfer->dead && chunk.rail != nullptr && !has_failed(chunk.rail)) {
      const int peer = chunk.transfer->at.peer;
      chunk.rail->transport->disconnect(peer, first_.trouble(peer));
    }
  }
}

void RailedContext::collect(uint64_t now) {
  std::erase_if(chunks_, [&](Chunk& chunk) { return is_over(chunk, now); });
}

bool RailedContext::is_over(Chunk& chunk, uint64_t now) {
  if (chunk.stranded) {
    return false;
  }
  if (chunk.needs_quiet && !has_failed(chunk.rail)) {
    ask_for_arrival(chunk);
  }
  if (chunk.needs_quiet || !chunk.ticket.settled()) {
    return false;
  }
  const Errc code = chunk.ticket.error();
  Transfer& transfer = *chunk.transfer;
  if (code != Errc::ok && chunk.rail != nullptr && !transfer.dead) {
    transport_.fail_rail(
        chunk.rail, fmt::format("a stripe to peer {} failed: {}", transfer.at.peer, to_string(code)));
    return false;  // retire() strands it
  }
  if (code != Errc::ok && !transfer.dead) {
    // The first rail fails with the peer; a quiet there may also have told of somebody's signal.
    if (transfer.is_put && transport_.loss_code(transfer.at.peer) == Errc::ok) {
      note_failure(transfer.at.peer, transfer.seq, code);
    } else {
      transfer.worst = code;
    }
  }
  arrived(chunk, now);
  return true;
}

void RailedContext::arrived(Chunk& chunk, uint64_t now) {
  for (Load& load : lane_of(chunk.transfer->at.peer).loads) {
    if (load.rail == chunk.rail) {
      --load.chunks;
      load.bytes -= chunk.nbytes;
      load.silent_ns = 0;
      load.pace.arrived(chunk.nbytes, now, load.chunks > 0);
    }
  }
  --chunk.transfer->out;
}

void RailedContext::ask_for_arrival(Chunk& chunk) {
  const auto asked = over(chunk.rail).post_quiet(chunk.transfer->at.peer, &chunk.ticket);
  if (!asked && asked.error().code == Errc::again) {
    return;
  }
  chunk.needs_quiet = false;
  if (!asked) {
    chunk.ticket.settle(asked.error().code);
  }
}

void RailedContext::watch_silence(uint64_t now) {
  const uint64_t heard_for = std::min(now - std::exchange(last_pump_ns_, now), kLongestLookNs);
  for (auto& [peer, lane] : lanes_) {
    for (Load& load : lane.loads) {
      if (load.rail == nullptr || load.chunks == 0 || has_failed(load.rail)) {
        continue;
      }
      load.silent_ns += heard_for;
      if (load.silent_ns > transport_.options().silence_ns) {
        transport_.fail_rail(load.rail, fmt::format("nothing arrives at peer {} any more", peer));
      }
    }
  }
}

void RailedContext::feed(uint64_t now) {
  for (Transfer& transfer : transfers_) {
    if (!transfer.dead && !transfer.all_cut() && start(transfer)) {
      feed(transfer, now);
    }
  }
}

// Stripes on other rails would overtake what the first carries, and a fence may be in between.
bool RailedContext::start(Transfer& transfer) {
  if (transfer.start == Transfer::Start::go) {
    return true;
  }
  const int peer = transfer.at.peer;
  if (transfer.start == Transfer::Start::wait) {
    transfer.fences = fences_.load(std::memory_order_relaxed);
    const auto asked = first_.post_quiet(peer, &transfer.order);
    if (!asked && asked.error().code == Errc::again) {
      return false;
    }
    transfer.start = Transfer::Start::asked;
    if (!asked) {
      transfer.order.settle(asked.error().code);
    }
  }
  if (!transfer.order.settled()) {
    return false;
  }
  if (transfer.order.error() != Errc::ok) {
    note_failure(peer, transfer.seq, transfer.order.error());
  }
  Lane& lane = lane_of(peer);
  lane.ordered_at = std::max(lane.ordered_at, transfer.fences);
  transfer.start = Transfer::Start::go;
  return true;
}

std::vector<Load*> RailedContext::loads_for(const Transfer& transfer) {
  Lane& lane = lane_of(transfer.at.peer);
  std::vector<Load*> loads = {&lane.loads.front()};
  for (const Way& way : *lane.ways) {
    if (has_failed(way.rail) ||
        !std::binary_search(way.regions.begin(), way.regions.end(), transfer.at.region)) {
      continue;
    }
    auto found = std::find_if(lane.loads.begin(), lane.loads.end(),
                              [&](const Load& load) { return load.rail == way.rail; });
    if (found == lane.loads.end()) {
      Load fresh;
      fresh.rail = way.rail;
      lane.loads.push_back(fresh);  // a deque's others stay where they are
      found = std::prev(lane.loads.end());
    }
    loads.push_back(&*found);
  }
  return loads;
}

void RailedContext::feed(Transfer& transfer, uint64_t now) {
  const std::vector<Load*> loads = loads_for(transfer);
  while (!transfer.again.empty()) {
    if (!post_chunk(transfer, *loads.front(), transfer.again.back(), now)) {
      return;
    }
    transfer.again.pop_back();
  }
  for (bool posted = true; posted;) {
    posted = false;
    for (Load* load : loads) {
      const size_t left = transfer.nbytes - transfer.next;
      if (left == 0) {
        return;
      }
      const size_t share =
          load->chunks == kWindow
              ? 0
              : share_of(*load, loads, transfer.chunk, transport_.options().smallest_chunk, left,
                         now);
      if (share != 0 && post_chunk(transfer, *load, {transfer.next, share}, now)) {
        transfer.next += share;
        posted = true;
      }
    }
  }
}

// False: not now, or the transfer has ended with an error.
bool RailedContext::post_chunk(Transfer& transfer, Load& load, Transfer::Piece piece,
                               uint64_t now) {
  if (has_failed(load.rail) || transfer.worst != Errc::ok) {
    return false;
  }
  Chunk& chunk = chunks_.emplace_back();
  Target at = transfer.at;
  at.offset += piece.from;
  std::byte* local = transfer.local + piece.from;
  Context& rail = over(load.rail);
  const auto posted = transfer.is_put ? rail.post_put(at, local, piece.nbytes, nullptr)
                                      : rail.post_get(local, at, piece.nbytes, &chunk.ticket);
  if (!posted) {
    chunks_.pop_back();
    if (posted.error().code != Errc::again && load.rail != nullptr) {
      transport_.fail_rail(load.rail, error_text::newest());
    } else if (posted.error().code != Errc::again) {
      transfer.worst = posted.error().code;
      transfer.next = transfer.nbytes;
      transfer.again.clear();
    }
    return false;
  }
  chunk.transfer = &transfer;
  chunk.rail = load.rail;
  chunk.from = piece.from;
  chunk.nbytes = piece.nbytes;
  chunk.needs_quiet = transfer.is_put;
  ++transfer.out;
  if (load.chunks++ == 0) {
    load.silent_ns = 0;
    load.pace.begins(now);
  }
  load.bytes += piece.nbytes;
  if (chunk.needs_quiet) {
    ask_for_arrival(chunk);
  }
  return true;
}

void RailedContext::finish_transfers() {
  std::erase_if(transfers_, [this](Transfer& transfer) {
    const bool asked = transfer.start == Transfer::Start::asked && !transfer.order.settled();
    if (transfer.out != 0 || asked || (!transfer.dead && !transfer.all_cut())) {
      return false;
    }
    if (!transfer.dead) {
      if (transfer.ticket == nullptr && transfer.worst != Errc::ok) {
        note_failure(transfer.at.peer, transfer.seq, transfer.worst);
      }
      settle(transfer.ticket, transfer.worst);
      ++settled_;
    }
    return true;
  });
}

void RailedContext::strand(const Rail& rail, std::set<int>& puts_to) {
  for (Chunk& chunk : chunks_) {
    if (chunk.rail.get() == &rail) {
      chunk.stranded = true;
      if (chunk.transfer->is_put && !chunk.transfer->dead) {
        puts_to.insert(chunk.transfer->at.peer);
      }
    }
  }
  for (auto& [peer, lane] : lanes_) {
    std::erase_if(lane.loads, [&](const Load& load) { return load.rail.get() == &rail; });
  }
}

void RailedContext::resend(const Rail& rail, int peer) {
  resend_if(rail, [peer](const Transfer& transfer) { return transfer.at.peer == peer; });
}

void RailedContext::resend_gets(const Rail& rail) {
  resend_if(rail, [](const Transfer& transfer) { return !transfer.is_put || transfer.dead; });
}

void RailedContext::resend_if(const Rail& rail, FunctionRef<bool(const Transfer&)> which) {
  std::erase_if(chunks_, [&](const Chunk& chunk) {
    if (chunk.rail.get() != &rail || !chunk.stranded || !which(*chunk.transfer)) {
      return false;
    }
    --chunk.transfer->out;
    chunk.transfer->again.push_back({chunk.from, chunk.nbytes});
    return true;
  });
}

}  // namespace canopy::transport::rails
