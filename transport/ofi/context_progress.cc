// OfiContext, the part that progresses: completions, messages, and what had to wait for room.
#include "transport/ofi/context.h"

#include "runtime/base/log.h"
#include "transport/ofi/fabric_error.h"

#include <algorithm>
#include <cstring>

namespace canopy::transport::ofi {
namespace {

// Completions taken at a time, and how often before others get the baton.
constexpr size_t kBatch = 32;
constexpr int kBatches = 8;

}  // namespace

int OfiContext::progress() {
  // Lost increments do no harm: it only has to change.
  store_relaxed(&polls_, load_relaxed(&polls_) + 1);
  if (!baton_.try_lock()) {
    return 0;  // somebody else does it
  }
  return poll_and_tell();
}

int OfiContext::serve() {
  const uint64_t polls = load_relaxed(&polls_);
  const bool polled = std::exchange(polls_served_, polls) != polls;
  if (polled || !baton_.try_lock()) {
    return 0;
  }
  return poll_and_tell();
}

int OfiContext::poll_and_tell() {
  const int completed = poll();
  const bool may_have_room = refused_ != 0;
  store_relaxed(&refused_, 0);  // busy() reads it without the baton
  baton_.unlock();
  if (completed > 0 || may_have_room) {
    registry_.arrived();  // somebody may sleep until now
  }
  return completed;
}

int OfiContext::poll() {
  sync_losses();
  int completed = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    fi_cq_msg_entry entries[kBatch];
    const ssize_t got = fi_cq_read(endpoint_->cq(), entries, kBatch);
    if (got == -FI_EAVAIL) {
      on_error();
      ++completed;
      continue;
    }
    if (got == -FI_EAGAIN || got == 0) {
      break;
    }
    if (got < 0) {
      const auto failure = fail_fi(got, "ofi: the completion queue cannot be read");
      lose_everybody(failure.value().code, error_text::newest());
      break;
    }
    for (ssize_t i = 0; i < got; ++i) {
      auto* posted = static_cast<Posted*>(entries[i].op_context);
      if (posted == nullptr) {
        continue;
      }
      if (posted->kind == PostedKind::receive) {
        auto& slot = *static_cast<RecvSlot*>(posted);
        on_reply(slot, entries[i].len);
        endpoint_->give_back(slot);
      } else {
        on_operation(*static_cast<Operation*>(posted), Errc::ok);
      }
    }
    completed += static_cast<int>(got);
    if (got < static_cast<ssize_t>(kBatch)) {
      break;
    }
  }
  resume();
  return completed;
}

void OfiContext::on_error() {
  const auto failure = endpoint_->take_error();
  if (!failure) {
    return;
  }
  const Errc code = errc_of(failure->code);
  if (failure->posted == nullptr) {
    lose_everybody(code, fmt::format("something without a name failed: {}", failure->text));
    return;
  }
  if (failure->posted->kind == PostedKind::receive) {
    if (failure->code != FI_ECANCELED) {
      log(LogLevel::error, "ofi: a reply could not be received: {}", failure->text);
    }
    endpoint_->give_back(*static_cast<RecvSlot*>(failure->posted));
    return;
  }
  auto& operation = *static_cast<Operation*>(failure->posted);
  operation.at_provider = false;
  if (operation.peer < 0) {
    operations_.give_back(&operation);  // its peer is lost already
    return;
  }
  // Whatever the reason, what was posted behind it is not in order any more.
  lose(operation.peer, code,
       fmt::format("a {} to peer {} failed: {}", operation.is_put ? "put" : "get or message",
                   operation.peer, failure->text));
}

void OfiContext::on_operation(Operation& operation, Errc code) {
  operation.at_provider = false;
  Operation* parent = operation.parent;
  complete(operation, code);
  if (parent != nullptr && --parent->pieces_left == 0 && large_.parent != parent) {
    complete(*parent, code);
  }
}

void OfiContext::complete(Operation& operation, Errc code) {
  if (operation.peer >= 0) {
    Lane& lane = lane_of(operation.peer);
    if (operation.is_put) {
      --lane.puts_out;
    }
    if (operation.what == OperationKind::request) {
      --lane.requests_out;
    }
    if (code != Errc::ok && operation.ticket == nullptr) {
      lane.failed = code;
    }
    settle(operation.ticket, code);
    if (operation.counted && lane.outstanding.remove(operation.generation)) {
      notify(lane);
    }
  }
  operations_.give_back(&operation);
}

void OfiContext::on_reply(const RecvSlot& slot, size_t nbytes) {
  Reply reply;
  if (nbytes != sizeof reply || static_cast<MessageKind>(slot.message[0]) != MessageKind::reply) {
    log(LogLevel::error, "ofi: a message of {} bytes that is no reply is dropped", nbytes);
    return;
  }
  std::memcpy(&reply, slot.message, sizeof reply);
  const auto code = static_cast<Errc>(reply.code);
  if (reply.sender == id_ && reply.token == 0) {
    log(LogLevel::error,
        "ofi: a peer refused a signal or an atomic operation at region {} offset {}: {}",
        reply.region, reply.value, to_string(code));
    for (int peer : active_) {
      if (registry_.peer(peer)->server == reply.target) {
        lane_of(peer).failed = code;
      }
    }
    return;
  }
  Operation* operation = reply.sender == id_ ? operations_.find(reply.token) : nullptr;
  if (operation == nullptr) {
    // After a peer was given up its replies may still come.
    log(LogLevel::debug, "ofi: a reply that nobody waits for is dropped");
    return;
  }
  if (operation->old != nullptr && code == Errc::ok) {
    *operation->old = reply.value;
  }
  complete(*operation, code);
}

void OfiContext::push_large() {
  while (large_.parent != nullptr && large_.left > 0) {
    Operation* piece = operations_.take(OperationKind::piece, large_.at.peer);
    if (piece == nullptr) {
      return;
    }
    piece->parent = large_.parent;
    const size_t nbytes = std::min(large_.left, most_bytes_);
    const RemotePeer* peer = registry_.peer(large_.at.peer);
    const Route route{peer, &peer->regions[large_.at.region], &lane_of(large_.at.peer)};
    const ssize_t err =
        rma(large_.parent->is_put ? Direction::put : Direction::get, route, large_.at.offset,
            large_.local, nbytes, large_.descriptor, piece, large_.flags);
    if (err != 0) {
      operations_.give_back(piece);
      (void)refused(err, large_.at.peer, "a piece of a large transfer");
      return;
    }
    piece->at_provider = true;
    ++large_.parent->pieces_left;
    large_.local += nbytes;
    large_.at.offset += nbytes;
    large_.left -= nbytes;
  }
  Operation* parent = std::exchange(large_, Large{}).parent;
  if (parent != nullptr && parent->pieces_left == 0) {
    complete(*parent, Errc::ok);  // all pieces completed before the last one was posted
  }
}

void OfiContext::resume() {
  endpoint_->repost();
  if (large_.parent != nullptr) {
    push_large();
  }
  for (int peer : std::exchange(stalled_, {})) {
    push_flushes(peer, lane_of(peer));
  }
  if (owes_ != 0 && stalled_.empty()) {
    store_relaxed(&owes_, 0);
  }
}

}  // namespace canopy::transport::ofi
