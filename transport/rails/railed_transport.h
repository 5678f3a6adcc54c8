// RailedTransport: a transport that is the first rail, and further ones that carry stripes of its
// large puts and gets. Everything that is ordered, and everything while there is no further rail,
// goes over the first as if this were not here.
//
// Which rails there are, and when they are opened and closed, its keeper decides (transport/far):
//
//   a large put to a peer for the first time -> wanted(peer)          keeper: finds out, add_way()
//   a rail fails or is silent                -> failed(rail)          keeper: retire(), closes it,
//     its gets go again over the first rail  <- resend_gets()           which ends what it got here,
//     its puts go again over the first rail  <- resend(peer)            has the peer close its end
//
// The order of that is what makes it safe: bytes that a network still holds must not arrive after
// the chunk was sent again, over what was written later.
#pragma once

#include "runtime/base/doorbell.h"
#include "transport/rails/railed_context.h"

#include <set>
#include <thread>

namespace canopy::transport::rails {

class RailedTransport final : public Transport {
 public:
  // Both are called with locks held, on any thread: must not block, nor call back.
  struct Keeper {
    // Something large goes to `peer`, and what further rails reach it is not known, or worth a look
    // again. Once per add_way() or look_again_at().
    std::function<void(int peer)> wanted;
    // Once per rail.
    std::function<void(const RailPtr& rail)> failed;
  };
  RailedTransport(std::unique_ptr<Transport> first, const StripeOptions& options, Keeper keeper);
  ~RailedTransport() override;

  const Capabilities& capabilities() const override { return first_->capabilities(); }
  Result<std::string> address() const override { return first_->address(); }
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override {
    return first_->register_region(id, memory);
  }
  Result<> connect(int peer, std::string_view address,
                   std::span<const PeerRegion> regions) override;
  Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) override {
    return first_->offer_region(id, memory);
  }
  Result<> withdraw_region(RegionId id) override { return first_->withdraw_region(id); }
  Result<> open_region(int peer, const PeerRegion& region) override;
  Result<> close_region(int peer, RegionId id, Ticket* done) override;
  void disconnect(int peer, std::string_view why) override { first_->disconnect(peer, why); }
  std::optional<std::byte*> direct(int peer, RegionId region) const override {
    return first_->direct(peer, region);
  }
  Result<std::unique_ptr<Context>> open_context() override;
  std::string why(int peer) const override { return first_->why(peer); }
  void on_arrival(std::function<void()> call) override;
  void on_error(std::function<void(int, Errc, std::string_view)> call) override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return main_.post_put(to, src, nbytes, done);
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return main_.post_get(dst, from, nbytes, done);
  }
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override {
    return main_.post_amo(at, operation, old, done);
  }
  Result<> signal(const Target& at, const Signal& update) override {
    return main_.signal(at, update);
  }
  void fence() override { main_.fence(); }
  Result<> post_quiet(int peer, Ticket* done) override { return main_.post_quiet(peer, done); }
  int progress() override { return main_.progress(); }
  void rest() override { first_->rest(); }
  bool hears() override { return first_->hears(); }
  std::string trouble(int peer) const override { return first_->trouble(peer); }

  // ---- the keeper's
  // From now on the rail reaches these regions of the peer: its transport is connected to it.
  // Errc::limit: no thread for what the rails do.
  Result<> add_way(int peer, const RailPtr& rail, std::vector<RegionId> regions);
  // After `at_ns` the next large transfer to the peer asks for rails again.
  void look_again_at(int peer, uint64_t at_ns);
  // Sets `failed`, and returns when no context uses the rail any more: its transport may go.
  // Returns the peers to which it carried puts.
  std::set<int> retire(const RailPtr& rail);
  // The transport of the rail is gone.
  void resend_gets(const Rail& rail);
  // And the peer has closed its end.
  void resend(const Rail& rail, int peer);

  // ---- the contexts'
  const StripeOptions& options() const { return options_; }
  // Argument errors, as a transport over one rail has them.
  Result<> check(const Target& target, size_t nbytes, size_t alignment) const;
  bool knows(int peer) const;
  // Null: there are none. Asks the keeper where that is due.
  std::shared_ptr<const std::vector<Way>> ways_to(int peer);
  void fail_rail(const RailPtr& rail, std::string_view why);
  uint32_t losses() const { return losses_.load(std::memory_order_acquire); }
  Errc loss_code(int peer) const;
  // Something is striped now.
  void notice() { idle_bell_.ring(BellScope::process); }
  void arrived() const;
  void forget(RailedContext& context);

 private:
  struct Peer {
    std::map<RegionId, uint64_t> regions;  // their bytes
    std::shared_ptr<const std::vector<Way>> ways;
    uint64_t look_at_ns = 0;  // when a large transfer asks the keeper: now, later, or kNever
    Errc lost = Errc::ok;
  };
  static constexpr uint64_t kNever = ~0ull;

  void run();
  // Moves on what nobody else does; false: nothing is striped.
  bool serve();
  bool anything_busy();
  template <class Change>
  auto alone(Change&& change);

  const StripeOptions options_;
  const Keeper keeper_;
  std::function<void()> arrival_;
  std::function<void(int, Errc, std::string_view)> error_;
  std::unique_ptr<Transport> first_;

  mutable std::mutex peers_mutex_;  // guards peers_; a leaf
  std::map<int, Peer> peers_;
  std::atomic<uint32_t> losses_{0};

  std::mutex contexts_mutex_;  // guards contexts_, keeps them alive; before any context's mutex
  std::vector<RailedContext*> contexts_;
  std::map<RailedContext*, uint64_t> seen_turns_;  // the thread's
  std::atomic<bool> stopping_{false};
  Doorbell idle_bell_;  // ends the thread's sleep
  Doorbell nap_bell_;   // ends its naps while something is striped; only at the end
  RailedContext main_;
  std::thread thread_;
};

}  // namespace canopy::transport::rails
