// FarContext: a private context of a FarTransport. Opens its own context of the network transport
// with the first operation.
#pragma once

#include "transport/far/far_transport.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace canopy::transport::far {

class FarContext final : public Context {
 public:
  explicit FarContext(FarTransport& transport) : transport_(transport) {}

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override;
  void rest() override { transport_.rest(); }
  std::string trouble(int peer) const override { return transport_.trouble(peer); }

 private:
  // As FarTransport::network_to().
  Result<Context*> context_to(int peer);
  // Null before the first operation. Acquire: pairs with context_to().
  Context* open() const { return context_.load(std::memory_order_acquire); }

  FarTransport& transport_;
  std::mutex mutex_;  // guards owned_
  std::unique_ptr<Context> owned_;
  std::atomic<Context*> context_{nullptr};
};

}  // namespace canopy::transport::far
