// OfiContext, the part that posts messages: atomic operations, signals, and what precedes them.
#include "transport/ofi/context.h"

#include <cstring>

namespace canopy::transport::ofi {

Result<> OfiContext::send(int peer, const RemotePeer& to, const void* message, size_t nbytes) {
  const ssize_t err = operations_.transmit(*endpoint_, to.address, peer, message, nbytes);
  if (err != 0) {
    return refused(err, peer, "a message");
  }
  return {};
}

Result<> OfiContext::greet(int peer, const RemotePeer& to, Lane& lane) {
  if (lane.greeted) [[likely]] {
    return {};
  }
  Hello hello{};
  hello.kind = MessageKind::hello;
  hello.address_bytes = static_cast<uint8_t>(name_.size());
  hello.sender = id_;
  std::memcpy(hello.address, name_.data(), name_.size());
  CANOPY_TRY(send(peer, to, &hello, offsetof(Hello, address) + name_.size()));
  lane.greeted = true;
  return {};
}

Result<> OfiContext::send_request(int peer, const Route& route, Request& request, uint64_t* old,
                                  Ticket* done, bool wants_reply) {
  Lane& lane = *route.lane;
  CANOPY_TRY(greet(peer, *route.peer, lane));
  Operation* operation = nullptr;
  if (wants_reply) {
    operation = operations_.take(OperationKind::request, peer);
    if (operation == nullptr) {
      return again();
    }
    operation->old = old;
    request.token = OperationPool::token_of(*operation);
  }
  request.sender = id_;
  if (auto sent = send(peer, *route.peer, &request, sizeof request); !sent) {
    if (operation != nullptr && operation->what != OperationKind::free) {
      operations_.give_back(operation);
    }
    return sent;
  }
  if (operation != nullptr) {
    operation->ticket = done;
    ++lane.requests_out;
    count(*operation, lane);
  } else {
    lane.dirty_messages = true;
    activate(peer, lane);
  }
  return {};
}

Result<> OfiContext::post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) {
  if (operation.width != 4 && operation.width != 8) {
    return fail(Errc::invalid_argument, "ofi: an amo has 4 or 8 bytes, not {}", operation.width);
  }
  std::lock_guard holding(baton_);
  CANOPY_ASSIGN(const Route route, route_to(at, operation.width, operation.width));
  if (large_.parent != nullptr || held(*route.lane, at.peer, false)) {
    return again();
  }
  Request request{};
  request.kind = MessageKind::amo;
  request.op = static_cast<uint8_t>(operation.op);
  request.width = operation.width;
  request.region = at.region;
  request.offset = at.offset;
  request.value = operation.value;
  request.compare = operation.compare;
  return send_request(at.peer, route, request, old, done, old != nullptr || done != nullptr);
}

Result<> OfiContext::signal(const Target& at, const Signal& update) {
  if (update.width != 4 && update.width != 8) {
    return fail(Errc::invalid_argument, "ofi: a signal has 4 or 8 bytes, not {}", update.width);
  }
  std::lock_guard holding(baton_);
  CANOPY_ASSIGN(const Route route, route_to(at, update.width, update.width));
  Lane& lane = *route.lane;
  if (!given_.message_after_puts && lane.puts_pending() && !lane.hold_messages) {
    lane.hold_messages = true;  // as a fence would
    lane.hold_is_closed = false;
  }
  if (large_.parent != nullptr || held(lane, at.peer, false)) {
    return again();
  }
  Request request{};
  request.kind = MessageKind::signal;
  request.op = static_cast<uint8_t>(update.op);
  request.width = update.width;
  request.region = at.region;
  request.offset = at.offset;
  request.value = update.value;
  return send_request(at.peer, route, request, nullptr, nullptr, false);
}

}  // namespace canopy::transport::ofi
