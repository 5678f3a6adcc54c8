// RailedContext, the part that waits for stripes: fences, signals, quiets.
#include "transport/rails/railed_context.h"
#include "transport/rails/railed_transport.h"

#include <algorithm>
#include <set>

namespace canopy::transport::rails {
namespace {

bool concerns(int wanted, int peer) { return wanted == kAllPeers || wanted == peer; }

}  // namespace

bool RailedContext::stripes_before(int peer, uint64_t seq, Kinds kinds) const {
  return std::any_of(transfers_.begin(), transfers_.end(), [&](const Transfer& transfer) {
    return !transfer.dead && transfer.seq < seq && concerns(peer, transfer.at.peer) &&
           (transfer.is_put || kinds == Kinds::puts_and_gets);
  });
}

bool RailedContext::signals_before(int peer, uint64_t seq) const {
  return std::any_of(signals_.begin(), signals_.end(), [&](const LateSignal& late) {
    return late.seq < seq && concerns(peer, late.at.peer);
  });
}

bool RailedContext::has_stripes_in(int peer, RegionId region) const {
  const auto is_there = [&](const Target& at) { return at.peer == peer && at.region == region; };
  return std::any_of(transfers_.begin(), transfers_.end(),
                     [&](const Transfer& transfer) { return is_there(transfer.at); }) ||
         std::any_of(signals_.begin(), signals_.end(),
                     [&](const LateSignal& late) { return is_there(late.at); });
}

void RailedContext::fence() {
  fences_.fetch_add(1, std::memory_order_relaxed);
  first_.fence();
  if (!busy()) [[likely]] {
    return;
  }
  std::lock_guard holding(mutex_);
  for (auto& [peer, lane] : lanes_) {
    if (stripes_before(peer, next_seq_, Kinds::puts) || signals_before(peer, next_seq_)) {
      lane.hold = next_seq_;
    }
  }
}

// Whether a fence still holds puts and amos to this peer back.
bool RailedContext::held(int peer) {
  const auto found = lanes_.find(peer);
  if (found == lanes_.end() || found->second.hold == 0) {
    return false;
  }
  Lane& lane = found->second;
  if (stripes_before(peer, lane.hold, Kinds::puts) || signals_before(peer, lane.hold)) {
    return true;
  }
  lane.hold = 0;
  first_.fence();  // signals that were sent meanwhile are before it, too
  update_busy();
  return false;
}

// What has no ticket is told by the quiets that wait for it, or else by the next one.
void RailedContext::note_failure(int peer, uint64_t seq, Errc code) {
  bool told = false;
  for (LateQuiet& quiet : quiets_) {
    if (quiet.seq > seq && concerns(quiet.peer, peer)) {
      quiet.worst = code;
      told = true;
    }
  }
  if (!told) {
    lane_of(peer).failed = code;
  }
}

void RailedContext::push_signals() {
  std::set<int> waiting;  // their later signals stay behind
  std::erase_if(signals_, [&](const LateSignal& late) {
    const int peer = late.at.peer;
    if (waiting.contains(peer)) {
      return false;
    }
    Result<> sent = again();
    if (!stripes_before(peer, late.seq, Kinds::puts)) {
      sent = first_.signal(late.at, late.update);
    }
    if (!sent && sent.error().code == Errc::again) {
      waiting.insert(peer);
      return false;
    }
    if (!sent) {
      note_failure(peer, late.seq, sent.error().code);
    }
    ++settled_;
    return true;
  });
}

Result<> RailedContext::post_quiet(int peer, Ticket* done) {
  if (!busy()) [[likely]] {
    return first_.post_quiet(peer, done);
  }
  std::lock_guard holding(mutex_);
  if (peer != kAllPeers && !transport_.knows(peer)) {
    return first_.post_quiet(peer, done);  // which says so
  }
  LateQuiet& quiet = quiets_.emplace_back();
  quiet.seq = next_seq_++;
  quiet.peer = peer;
  quiet.ticket = done;
  for (auto& [other, lane] : lanes_) {
    if (concerns(peer, other) && lane.failed != Errc::ok) {
      quiet.worst = std::exchange(lane.failed, Errc::ok);
    }
  }
  push_quiets();
  update_busy();
  return {};
}

void RailedContext::push_quiets() {
  std::erase_if(quiets_, [this](LateQuiet& quiet) {
    if (!quiet.posted) {
      if (stripes_before(quiet.peer, quiet.seq, Kinds::puts_and_gets) ||
          signals_before(quiet.peer, quiet.seq)) {
        return false;
      }
      const auto posted = first_.post_quiet(quiet.peer, &quiet.first);
      if (!posted && posted.error().code == Errc::again) {
        return false;
      }
      quiet.posted = true;
      if (!posted) {
        quiet.first.settle(posted.error().code);
      }
    }
    if (!quiet.first.settled()) {
      return false;
    }
    const Errc code = quiet.first.error();
    settle(quiet.ticket, code != Errc::ok ? code : quiet.worst);
    ++settled_;
    return true;
  });
}

}  // namespace canopy::transport::rails
