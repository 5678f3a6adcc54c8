#include "transport/ofi/context.h"

#include "runtime/base/random_id.h"
#include "transport/ofi/fabric_error.h"

#include <rdma/fi_rma.h>

#include <algorithm>
#include <cstring>

namespace canopy::transport::ofi {

OfiContext::OfiContext(Domain& domain, Registry& registry)
    : domain_(domain),
      registry_(registry),
      id_(random_id()),
      given_(domain.provider().guarantees),
      inject_bytes_(domain.info().tx_attr->inject_size),
      most_bytes_(domain.info().ep_attr->max_msg_size),
      // Besides what the provider queues, requests wait for replies.
      operations_(2 * std::max<size_t>(domain.info().tx_attr->size, 64)) {}

Result<std::unique_ptr<OfiContext>> OfiContext::open(Domain& domain, Registry& registry) {
  std::unique_ptr<OfiContext> self(new OfiContext(domain, registry));
  CANOPY_ASSIGN(self->endpoint_, Endpoint::open(domain, Endpoint::Wakes::no));
  CANOPY_ASSIGN(self->name_, self->endpoint_->name());
  self->operations_.register_through(domain, self->endpoint_->ep());
  return self;
}

OfiContext::~OfiContext() {
  if (closing_) {
    closing_(*this);
  }
  unregister_sources();
  operations_.unregister();
  endpoint_.reset();  // before the operations that it may still know
}

void OfiContext::unregister_sources() {
  operations_.for_each_lent([](Operation& operation) { operation.source.reset(); });
}

Lane& OfiContext::lane_of(int peer) {
  while (lanes_.size() <= static_cast<size_t>(peer)) {
    lanes_.emplace_back();
  }
  return lanes_[static_cast<size_t>(peer)];
}

void OfiContext::activate(int peer, Lane& lane) {
  if (!lane.active) {
    lane.active = true;
    active_.push_back(peer);
  }
}

Result<OfiContext::Route> OfiContext::route_to(const Target& target, size_t nbytes,
                                               size_t alignment) {
  const RemotePeer* peer = registry_.peer(target.peer);
  if (peer == nullptr || target.region >= peer->regions.size() ||
      peer->regions[target.region].bytes == 0) {
    return fail(Errc::not_found, "ofi: peer {} has no region {} here", target.peer, target.region);
  }
  const RemoteWindow& window = peer->regions[target.region];
  if (target.offset > window.bytes || nbytes > window.bytes - target.offset) {
    return fail(Errc::out_of_range,
                "ofi: peer {} region {}: {} bytes at offset {} leave its {} bytes", target.peer,
                target.region, nbytes, target.offset, window.bytes);
  }
  if (target.offset % alignment != 0) {
    return fail(Errc::misaligned, "ofi: peer {} region {}: offset {} is not a multiple of {}",
                target.peer, target.region, target.offset, alignment);
  }
  sync_losses();
  Lane& lane = lane_of(target.peer);
  if (lane.lost) {
    return fail(Errc::peer_lost, "ofi: peer {} is lost: {}", target.peer,
                registry_.trouble(target.peer));
  }
  return Route{peer, &window, &lane};
}

tl::unexpected<Error> OfiContext::again() {
  store_relaxed(&refused_, 1);  // until there is room the thread polls for who sleeps
  if (posted_) {
    posted_();
  }
  // Costs nothing: no sentence is written.
  return tl::unexpected<Error>(Error{Errc::again, 0, std::source_location::current()});
}

tl::unexpected<Error> OfiContext::refused(ssize_t err, int peer, const char* what) {
  if (err == -FI_EAGAIN) {
    return again();
  }
  const auto failure = fail_fi(err, "ofi: {} to peer {} is refused", what, peer);
  lose(peer, failure.value().code, error_text::newest());
  return failure;
}

void OfiContext::count(Operation& operation, Lane& lane) {
  operation.counted = true;
  operation.generation = lane.outstanding.add();
  activate(operation.peer, lane);
  if (posted_) {
    posted_();
  }
}

ssize_t OfiContext::rma(Direction direction, const Route& route, uint64_t offset, std::byte* local,
                        size_t nbytes, void* descriptor, Operation* operation, uint64_t flags) {
  const iovec here{local, nbytes};
  const fi_rma_iov there{route.window->base + offset, nbytes, route.window->key};
  fi_msg_rma message{};
  message.msg_iov = &here;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.addr = route.peer->address;
  message.rma_iov = &there;
  message.rma_iov_count = 1;
  message.context = &operation->provider_data;
  if (direction == Direction::get) {
    return fi_readmsg(endpoint_->ep(), &message, flags);
  }
  return fi_writemsg(endpoint_->ep(), &message,
                     given_.announce ? flags | FI_REMOTE_CQ_DATA : flags);
}

Result<void*> OfiContext::descriptor_for(std::byte* local, size_t nbytes, Operation& operation) {
  if (!domain_.needs_local_registration()) {
    return nullptr;
  }
  if (void* descriptor = registry_.descriptor_of(local, nbytes)) {
    return descriptor;
  }
  CANOPY_ASSIGN(Registration made,
                domain_.register_memory({local, nbytes}, Access::local, endpoint_->ep()));
  operation.source = std::move(made.mr);
  return fi_mr_desc(operation.source.get());
}

Result<> OfiContext::post_put(const Target& to, const void* src, size_t nbytes,
                              Ticket* source_done) {
  std::lock_guard holding(baton_);
  CANOPY_ASSIGN(const Route route, route_to(to, nbytes, 1));
  if (nbytes == 0) {
    settle(source_done, Errc::ok);
    return {};
  }
  Lane& lane = *route.lane;
  if (large_.parent != nullptr || held(lane, to.peer, true)) {
    return again();
  }
  // A put that says when it has arrived makes its poster wait for longer than its source needs; so
  // a large one with a ticket leaves that to the flush.
  const bool small = nbytes <= kCopyBytes;
  const bool deliver =
      given_.deliver_each() ||
      (given_.delivery && !lane.dirty() && lane.puts_out == 0 && (small || source_done == nullptr));
  if (!deliver && nbytes <= inject_bytes_ && nbytes <= most_bytes_) {
    const fi_addr_t address = route.peer->address;
    const uint64_t at = route.window->base + to.offset;
    const ssize_t err =
        given_.announce
            ? fi_inject_writedata(endpoint_->ep(), src, nbytes, 0, address, at, route.window->key)
            : fi_inject_write(endpoint_->ep(), src, nbytes, address, at, route.window->key);
    if (err != 0) {
      return refused(err, to.peer, "a put");
    }
    lane.dirty_puts = true;
    activate(to.peer, lane);
    settle(source_done, Errc::ok);
    return {};
  }
  auto* local = static_cast<std::byte*>(const_cast<void*>(src));
  return post_rma(Direction::put, route, to, local, nbytes, source_done, deliver);
}

Result<> OfiContext::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  std::lock_guard holding(baton_);
  CANOPY_ASSIGN(const Route route, route_to(from, nbytes, 1));
  if (nbytes == 0) {
    settle(done, Errc::ok);
    return {};
  }
  if (large_.parent != nullptr) {
    return again();
  }
  return post_rma(Direction::get, route, from, static_cast<std::byte*>(dst), nbytes, done, false);
}

Result<> OfiContext::post_rma(Direction direction, const Route& route, const Target& at,
                              std::byte* local, size_t nbytes, Ticket* done, bool deliver) {
  const bool is_put = direction == Direction::put;
  const bool is_large = nbytes > most_bytes_;
  Operation* operation =
      operations_.take(is_large ? OperationKind::parent : OperationKind::piece, at.peer);
  if (operation == nullptr) {
    return again();
  }
  operation->is_put = is_put;
  // The source of a small put is reusable at once: it travels in the operation.
  const bool copied = is_put && done != nullptr && nbytes <= kCopyBytes && !is_large;
  void* descriptor = operation->copy_descriptor;
  if (copied) {
    std::memcpy(operation->copy, local, nbytes);
    local = operation->copy;
  } else if (auto made = descriptor_for(local, nbytes, *operation)) {
    descriptor = *made;
  } else {
    operations_.give_back(operation);
    return tl::unexpected(made.error());
  }
  const uint64_t flags = FI_COMPLETION | (deliver ? FI_DELIVERY_COMPLETE : 0);
  if (!is_large) {
    const ssize_t err =
        rma(direction, route, at.offset, local, nbytes, descriptor, operation, flags);
    if (err != 0) {
      operations_.give_back(operation);
      return refused(err, at.peer, is_put ? "a put" : "a get");
    }
    operation->at_provider = true;
  }
  Lane& lane = *route.lane;
  count(*operation, lane);
  if (is_put) {
    ++lane.puts_out;
    lane.dirty_puts |= !deliver;
  }
  if (copied) {
    settle(done, Errc::ok);
  } else {
    operation->ticket = done;
  }
  if (is_large) {
    operation->pieces_left = 0;
    large_ = {operation, at, local, nbytes, descriptor, flags};
    push_large();
  }
  return {};
}

}  // namespace canopy::transport::ofi
