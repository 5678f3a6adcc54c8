// FaultyTransport: any other transport, with faults on the way into it (fault_plan.h). It also
// hides direct(), so that what would be a load or a store goes through posted operations.
//
// While operations are held and nobody polls, a thread of its own polls every ms: what was posted
// arrives, as over a network. Threads: as Transport says.
#pragma once

#include "transport/base/transport.h"
#include "transport/faulty/faults.h"
#include "transport/faulty/faulty_context.h"

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy::transport {

class FaultyTransport final : public Transport {
 public:
  // `salt`: the PE, so that PEs with one plan meet different faults.
  FaultyTransport(std::unique_ptr<Transport> inner, const FaultPlan& plan, int salt);
  ~FaultyTransport() override;

  const Transport& inner() const { return *inner_; }
  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> address() const override { return inner_->address(); }
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override {
    return inner_->register_region(id, memory);
  }
  Result<> connect(int peer, std::string_view address,
                   std::span<const PeerRegion> regions) override;
  Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) override {
    return inner_->offer_region(id, memory);
  }
  Result<> withdraw_region(RegionId id) override { return inner_->withdraw_region(id); }
  Result<> open_region(int peer, const PeerRegion& region) override;
  Result<> close_region(int peer, RegionId id, Ticket* done) override;
  // Called, on whatever thread polls, after an operation that may change `peer`'s memory has left.
  // Over memory that is mapped here nobody else can ring the peer's bell. Set before connect().
  void on_delivery(std::function<void(int peer)> call) { faults_.delivered = std::move(call); }
  void disconnect(int peer, std::string_view why) override;
  std::optional<std::byte*> direct(int, RegionId) const override { return std::nullopt; }
  Result<std::unique_ptr<Context>> open_context() override;
  void on_arrival(std::function<void()> call) override { inner_->on_arrival(std::move(call)); }
  void on_error(std::function<void(int, Errc, std::string_view)> call) override {
    faults_.on_error(call);
    inner_->on_error(std::move(call));
  }

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return default_.post_put(to, src, nbytes, done);
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return default_.post_get(dst, from, nbytes, done);
  }
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override {
    return default_.post_amo(at, operation, old, done);
  }
  Result<> signal(const Target& at, const Signal& update) override {
    return default_.signal(at, update);
  }
  void fence() override { default_.fence(); }
  Result<> post_quiet(int peer, Ticket* done) override { return default_.post_quiet(peer, done); }
  int progress() override { return default_.progress(); }
  void rest() override { inner_->rest(); }
  bool hears() override { return inner_->hears(); }
  std::string trouble(int peer) const override { return default_.trouble(peer); }
  std::string why(int peer) const override { return fmt::format("faulty {}", inner_->why(peer)); }

 private:
  class Opened;
  void enlist(FaultyContext* context);
  void strike(FaultyContext* context);
  void pump(const std::stop_token& stop);

  const std::unique_ptr<Transport> inner_;
  Faults faults_;
  Capabilities capabilities_;
  FaultyContext default_;
  std::mutex mutex_;  // guards contexts_, and each of them while the pump moves it on
  std::vector<FaultyContext*> contexts_;
  std::jthread pump_;  // last: it uses the rest
};

}  // namespace canopy::transport
