#include "transport/ofi/operation.h"

#include "runtime/base/result.h"

#include <cstring>

namespace canopy::transport::ofi {

void OperationPool::register_through(Domain& domain, fid_ep* endpoint) {
  if (domain.needs_local_registration()) {
    domain_ = &domain;
    endpoint_ = endpoint;
  }
}

bool OperationPool::grow() {
  if (chunks_.size() * kChunk >= limit_) {
    return false;
  }
  auto chunk = std::make_unique<Operation[]>(kChunk);
  void* descriptor = nullptr;
  if (domain_ != nullptr) {
    auto registered = domain_->register_memory(
        std::as_writable_bytes(std::span(chunk.get(), kChunk)), Access::local, endpoint_);
    if (!registered) {
      return false;  // recorded; the caller sees back-pressure while others can still complete
    }
    descriptor = registered->descriptor();
    registrations_.push_back(std::move(*registered));
  }
  const auto first = static_cast<uint32_t>(chunks_.size() * kChunk);
  for (size_t i = kChunk; i-- > 0;) {
    chunk[i].kind = PostedKind::operation;
    chunk[i].index = first + static_cast<uint32_t>(i);
    chunk[i].copy_descriptor = descriptor;
    free_.push_back(&chunk[i]);
  }
  chunks_.push_back(std::move(chunk));
  return true;
}

Operation* OperationPool::take(OperationKind what, int peer) {
  if (free_.empty() && !grow()) {
    return nullptr;
  }
  Operation* operation = free_.back();
  free_.pop_back();
  store_relaxed(&lent_, lent_ + 1);
  operation->what = what;
  operation->peer = peer;
  ++operation->serial;
  operation->counted = false;
  operation->is_put = false;
  operation->at_provider = false;
  operation->ticket = nullptr;
  operation->old = nullptr;
  operation->parent = nullptr;
  return operation;
}

void OperationPool::give_back(Operation* operation) {
  store_relaxed(&lent_, lent_ - 1);
  operation->what = OperationKind::free;
  operation->source.reset();
  free_.push_back(operation);
}

ssize_t OperationPool::transmit(Endpoint& endpoint, fi_addr_t to, int peer, const void* message,
                                size_t nbytes) {
  if (nbytes <= endpoint.inject_bytes()) {
    return fi_inject(endpoint.ep(), message, nbytes, to);
  }
  Operation* operation = take(OperationKind::piece, peer);
  if (operation == nullptr) {
    return -FI_EAGAIN;
  }
  std::memcpy(operation->copy, message, nbytes);
  iovec here{operation->copy, nbytes};
  fi_msg envelope{};
  envelope.msg_iov = &here;
  envelope.desc = &operation->copy_descriptor;
  envelope.iov_count = 1;
  envelope.addr = to;
  envelope.context = &operation->provider_data;
  const ssize_t err = fi_sendmsg(endpoint.ep(), &envelope, FI_COMPLETION);
  if (err != 0) {
    give_back(operation);
    return err;
  }
  operation->at_provider = true;
  return 0;
}

Operation* OperationPool::find(uint64_t token) {
  const uint64_t index = (token & 0xFFFFFFFF) - 1;
  if (index >= chunks_.size() * kChunk) {
    return nullptr;
  }
  Operation& operation = chunks_[index / kChunk][index % kChunk];
  const bool waits = operation.what == OperationKind::request &&
                     operation.serial == static_cast<uint32_t>(token >> 32);
  return waits ? &operation : nullptr;
}

}  // namespace canopy::transport::ofi
