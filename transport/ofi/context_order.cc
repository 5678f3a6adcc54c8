// OfiContext, the part that keeps order: fence, quiet, and what becomes of them when a peer is
// lost.
#include "transport/ofi/context.h"

#include <algorithm>

namespace canopy::transport::ofi {

void OfiContext::fence() {
  std::lock_guard holding(baton_);
  for (int peer : active_) {
    lane_of(peer).fence(given_);
  }
}

// Whether a fence still holds this kind of operation back.
bool OfiContext::held(Lane& lane, int peer, bool is_put) {
  if (!(is_put ? lane.hold_puts : lane.hold_messages)) [[likely]] {
    return false;
  }
  if (!lane.hold_is_closed) {
    request_flush(peer, lane);
    if (!lane.outstanding.empty()) {
      lane.hold_generation = lane.outstanding.close();
      lane.hold_is_closed = true;
    }
  }
  if (lane.hold_is_closed && !lane.outstanding.complete(lane.hold_generation)) {
    return true;
  }
  lane.hold_puts = false;
  lane.hold_messages = false;
  return false;
}

void OfiContext::request_flush(int peer, Lane& lane) {
  // A message behind the puts stands for both, where it stays behind them.
  const bool by_message = lane.dirty_messages || (lane.dirty_puts && !given_.flush_by_put());
  const bool by_put =
      lane.dirty_puts && given_.flush_by_put() && !(by_message && given_.message_after_puts);
  lane.dirty_puts = false;
  lane.dirty_messages = false;
  const auto owe = [&](Lane::Due& due) {
    if (!due.yes) {
      due = {true, lane.outstanding.add()};
      activate(peer, lane);
    }
  };
  if (by_message) {
    owe(lane.message_flush);
  }
  if (by_put) {
    owe(lane.put_flush);
  }
  push_flushes(peer, lane);
}

void OfiContext::push_flushes(int peer, Lane& lane) {
  if (lane.message_flush.yes && push_message_flush(peer, lane)) {
    lane.message_flush.yes = false;
  }
  if (lane.put_flush.yes && push_put_flush(peer, lane)) {
    lane.put_flush.yes = false;
  }
  if (lane.flush_due() && std::find(stalled_.begin(), stalled_.end(), peer) == stalled_.end()) {
    stalled_.push_back(peer);  // resume() tries again
    store_relaxed(&owes_, 1);  // busy() reads it without the baton
  }
}

bool OfiContext::push_put_flush(int peer, Lane& lane) {
  Operation* operation = operations_.take(OperationKind::piece, peer);
  if (operation == nullptr) {
    return false;
  }
  const RemotePeer& to = *registry_.peer(peer);
  operation->is_put = true;
  operation->counted = true;
  operation->generation = lane.put_flush.generation;
  const uint64_t flags = FI_COMPLETION | FI_DELIVERY_COMPLETE;
  const ssize_t err = rma(Direction::put, {&to, &to.flush, &lane}, 0, operation->copy,
                          to.flush.bytes, operation->copy_descriptor, operation, flags);
  if (err != 0) {
    operations_.give_back(operation);
    (void)refused(err, peer, "a flush");
    return false;
  }
  operation->at_provider = true;
  ++lane.puts_out;
  return true;
}

bool OfiContext::push_message_flush(int peer, Lane& lane) {
  const RemotePeer& to = *registry_.peer(peer);
  if (!greet(peer, to, lane)) {
    return false;
  }
  Operation* operation = operations_.take(OperationKind::request, peer);
  if (operation == nullptr) {
    return false;
  }
  Request request{};
  request.kind = MessageKind::flush;
  request.sender = id_;
  request.token = OperationPool::token_of(*operation);
  if (!send(peer, to, &request, sizeof request)) {
    if (operation->what != OperationKind::free) {  // losing the peer took it back
      operations_.give_back(operation);
    }
    return false;
  }
  operation->counted = true;
  operation->generation = lane.message_flush.generation;
  ++lane.requests_out;
  return true;
}

Result<> OfiContext::post_quiet(int peer, Ticket* done) {
  std::lock_guard holding(baton_);
  if (peer != kAllPeers && registry_.peer(peer) == nullptr) {
    return fail(Errc::not_found, "ofi: there is no peer {} here", peer);
  }
  sync_losses();
  if (large_.parent != nullptr) {
    return again();  // its last pieces must go before the flush
  }
  PendingQuiet& quiet = new_quiet(done, nullptr);
  if (peer != kAllPeers) {
    join(peer, lane_of(peer), quiet);
    if (lane_of(peer).lost) {
      quiet.worst = registry_.loss_code(peer);
    }
  } else {
    for (int each : active_) {
      join(each, lane_of(each), quiet);
    }
    std::erase_if(active_, [this](int each) {
      Lane& lane = lane_of(each);
      lane.active = !lane.clean();
      return !lane.active;
    });
  }
  leave(quiet);
  return {};
}

void OfiContext::drain(int peer, const std::shared_ptr<Closing>& closing) {
  sync_losses();
  if (static_cast<size_t>(peer) >= lanes_.size()) {
    return;  // nothing was ever posted
  }
  PendingQuiet& quiet = new_quiet(nullptr, closing);
  join(peer, lane_of(peer), quiet);
  leave(quiet);
  if (posted_) {
    posted_();  // whoever works with this context need not be waiting
  }
}

PendingQuiet& OfiContext::new_quiet(Ticket* done, std::shared_ptr<Closing> closing) {
  if (free_quiets_.empty()) {
    free_quiets_.push_back(&quiets_.emplace_back());
  }
  PendingQuiet& quiet = *free_quiets_.back();
  free_quiets_.pop_back();
  // One lane for the caller, until all have been asked.
  quiet = {done, 1, Errc::ok, std::move(closing)};
  return quiet;
}

void OfiContext::join(int peer, Lane& lane, PendingQuiet& quiet) {
  if (lane.dirty()) {
    request_flush(peer, lane);
  }
  if (lane.failed != Errc::ok && quiet.closing == nullptr) {
    quiet.worst = std::exchange(lane.failed, Errc::ok);
  }
  if (!lane.outstanding.empty()) {
    lane.waiters.push_back({lane.outstanding.close(), &quiet});
    ++quiet.lanes;
  }
}

// Called when generations of the lane became complete.
void OfiContext::notify(Lane& lane) {
  std::erase_if(lane.waiters, [&](const Lane::Waiter& waiter) {
    if (!lane.outstanding.complete(waiter.generation)) {
      return false;
    }
    if (lane.failed != Errc::ok && waiter.quiet->closing == nullptr) {
      waiter.quiet->worst = std::exchange(lane.failed, Errc::ok);
    }
    leave(*waiter.quiet);
    return true;
  });
}

void OfiContext::leave(PendingQuiet& quiet) {
  if (--quiet.lanes != 0) {
    return;
  }
  free_quiets_.push_back(&quiet);
  if (quiet.closing != nullptr) {
    if (quiet.worst != Errc::ok) {
      quiet.closing->fail_with(quiet.worst);
    }
    quiet.closing.reset();
  } else {
    settle(quiet.ticket, quiet.worst);
  }
}

void OfiContext::lose(int peer, Errc code, std::string_view sentence) {
  registry_.lose(peer, code, sentence);
  sync_losses();
}

// For failures that name no operation: whoever had something under way may have lost it.
void OfiContext::lose_everybody(Errc code, std::string_view sentence) {
  for (int peer : active_) {
    if (!lane_of(peer).clean()) {
      registry_.lose(peer, code, sentence);
    }
  }
  sync_losses();
}

void OfiContext::sync_losses() {
  const uint32_t losses = registry_.losses();
  if (losses == seen_losses_) [[likely]] {
    return;
  }
  seen_losses_ = losses;
  for (size_t peer = 0; peer < lanes_.size(); ++peer) {
    const Errc code = lanes_[peer].lost ? Errc::ok : registry_.loss_code(static_cast<int>(peer));
    if (code != Errc::ok) {
      sweep(static_cast<int>(peer), lanes_[peer], code);
    }
  }
}

// Everything pending to a lost peer fails now; what the provider still holds comes back later and
// finds nobody.
void OfiContext::sweep(int peer, Lane& lane, Errc code) {
  const bool had_something = lane.dirty() || !lane.outstanding.empty();
  if (large_.parent != nullptr && large_.parent->peer == peer) {
    large_ = {};
  }
  operations_.for_each_lent([&](Operation& operation) {
    if (operation.peer != peer) {
      return;
    }
    settle(std::exchange(operation.ticket, nullptr), code);
    operation.peer = -1;
    operation.parent = nullptr;
    if (!operation.at_provider) {
      operations_.give_back(&operation);
    }
  });
  const bool greeted = lane.greeted;
  std::vector<Lane::Waiter> waiters = std::move(lane.waiters);
  lane = Lane{};
  lane.lost = true;
  lane.greeted = greeted;
  if (waiters.empty() && had_something) {
    lane.failed = code;
    lane.active = false;
    activate(peer, lane);
  }
  std::erase(stalled_, peer);
  for (const Lane::Waiter& waiter : waiters) {
    waiter.quiet->worst = code;
    leave(*waiter.quiet);
  }
}

}  // namespace canopy::transport::ofi
