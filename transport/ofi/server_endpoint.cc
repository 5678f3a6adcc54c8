#include "transport/ofi/server_endpoint.h"

#include "runtime/base/log.h"

#include <algorithm>
#include <utility>

namespace canopy::transport::ofi {
namespace {

// Events taken at a time, and how often before others get the baton.
constexpr size_t kBatch = 32;
constexpr int kBatches = 8;

}  // namespace

ServerEndpoint::ServerEndpoint(Domain& domain, const Registry& registry, ContextId id)
    : domain_(domain),
      registry_(registry),
      puts_announce_themselves_(domain.provider().guarantees.announce),
      server_(domain, registry, id),
      replies_(std::max<size_t>(domain.info().tx_attr->size, 64)) {}

Result<std::unique_ptr<ServerEndpoint>> ServerEndpoint::open(Domain& domain,
                                                             const Registry& registry,
                                                             ContextId id) {
  std::unique_ptr<ServerEndpoint> self(new ServerEndpoint(domain, registry, id));
  CANOPY_ASSIGN(self->endpoint_, Endpoint::open(domain, Endpoint::Wakes::yes));
  self->replies_.register_through(domain, self->endpoint_->ep());
  return self;
}

ServerEndpoint::~ServerEndpoint() {
  replies_.unregister();
  endpoint_.reset();  // before the replies that it may still know
}

int ServerEndpoint::serve() {
  if (!baton_.try_lock()) {
    return 0;  // somebody else does it
  }
  bool arrived = false;
  const int served = poll(arrived);
  baton_.unlock();
  // Where puts arrive without an event of their own, any poll may have let one in.
  if (arrived || !puts_announce_themselves_) {
    registry_.arrived();
  }
  return served;
}

int ServerEndpoint::poll(bool& arrived) {
  int served = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    fi_cq_msg_entry entries[kBatch];
    const ssize_t got = fi_cq_read(endpoint_->cq(), entries, kBatch);
    if (got == -FI_EAVAIL) {
      on_error();
      ++served;
      continue;
    }
    if (got <= 0) {
      if (got < 0 && got != -FI_EAGAIN) {
        log(LogLevel::error, "ofi: the queue of the server cannot be read: {}",
            fi_strerror(static_cast<int>(-got)));
      }
      break;
    }
    arrived = true;
    for (ssize_t i = 0; i < got; ++i) {
      auto* posted = static_cast<Posted*>(entries[i].op_context);
      if ((entries[i].flags & FI_REMOTE_CQ_DATA) != 0 || posted == nullptr) {
        continue;  // a put has arrived: there is nothing else to do about it
      }
      if (posted->kind == PostedKind::receive) {
        on_message(*static_cast<RecvSlot*>(posted), entries[i].len);
      } else {
        replies_.give_back(static_cast<Operation*>(posted));
      }
    }
    served += static_cast<int>(got);
    if (got < static_cast<ssize_t>(kBatch)) {
      break;
    }
  }
  endpoint_->repost();
  for (RecvSlot* slot : std::exchange(unanswered_, {})) {
    answer(*slot);
  }
  return served;
}

// Who sent or waits for what failed here notices on its own side; here it is only told.
void ServerEndpoint::on_error() {
  const auto failure = endpoint_->take_error();
  if (!failure) {
    return;
  }
  if (failure->code != FI_ECANCELED) {
    log(LogLevel::warn, "ofi: serving a peer failed: {}", failure->text);
  }
  if (failure->posted == nullptr) {
    return;
  }
  if (failure->posted->kind == PostedKind::receive) {
    endpoint_->give_back(*static_cast<RecvSlot*>(failure->posted));
  } else {
    replies_.give_back(static_cast<Operation*>(failure->posted));
  }
}

void ServerEndpoint::on_message(RecvSlot& slot, size_t nbytes) {
  if (const auto due = server_.execute({slot.message, std::min(nbytes, sizeof slot.message)})) {
    slot.reply = due->reply;
    slot.reply_to = due->to;
    answer(slot);
  } else {
    endpoint_->give_back(slot);
  }
}

// Replies, or keeps the buffer with its reply until there is room.
void ServerEndpoint::answer(RecvSlot& slot) {
  const ssize_t err =
      replies_.transmit(*endpoint_, slot.reply_to, -1, &slot.reply, sizeof slot.reply);
  if (err == -FI_EAGAIN) {
    unanswered_.push_back(&slot);
    return;
  }
  if (err != 0) {
    log(LogLevel::warn, "ofi: a reply cannot be sent: {}", fi_strerror(static_cast<int>(-err)));
  }
  endpoint_->give_back(slot);
}

}  // namespace canopy::transport::ofi
