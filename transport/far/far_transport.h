// FarTransport: the path to peers on other hosts, opened when it is needed. In front of it stands
// the network transport (libfabric, a plugin); until the first operation to a far peer there is
// only a door (door.h), so that a job that sends nothing off its hosts starts as fast as one on one
// host.
//
//   post_put(peer 5)          first time                                          afterwards
//     -> Errc::again            the introducer knocks at peer 5's door              ->
//     inner->post_put
//                               the interface on which that succeeds is ours
//                               both sides open the network transport, exchange
//                               its address and the regions' keys
//
// Where this host has further networks, the network transport is wrapped in one that stripes large
// transfers (transport/rails), and a RailKeeper finds out which of them reach whom.
//
// Threads: as transport.h says. The introducer runs while somebody is to be introduced.
#pragma once

#include "runtime/base/spin_lock.h"
#include "transport/base/plugin.h"
#include "transport/base/transport.h"
#include "transport/far/door.h"
#include "transport/far/rail_keeper.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace canopy::transport::far {

struct FarOptions {
  // "": the environment's CANOPY_OFI_PROVIDER and CANOPY_OFI_INTERFACE, and without those whatever
  // serves best on the interface that reaches the peer. Of several interfaces, with commas between,
  // the first is that of all that is ordered.
  std::string provider;
  std::string interface;
  // Networks to use at once, the first included. 0: CANOPY_OFI_RAILS, or as many as there are.
  size_t rails = 0;
  // least_bytes 0: CANOPY_OFI_STRIPE, or what stands there.
  rails::StripeOptions stripes{.least_bytes = 0};
  // How long a host may be unreachable before a peer on it counts as lost.
  std::chrono::milliseconds host_timeout{0};  // 0: CANOPY_HOST_TIMEOUT_MS, 10 s
  // Opens the network transport; empty: the plugin does.
  std::function<Result<Network>(const NetworkWish&)> open_network;
};

class FarTransport final : public Transport {
 public:
  static Result<std::unique_ptr<FarTransport>> open(FarOptions options);
  ~FarTransport() override;

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> address() const override { return door_->address().pack(); }
  // The key is always "": keys are told at the introduction.
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override;
  Result<> connect(int peer, std::string_view address,
                   std::span<const PeerRegion> regions) override;
  // Errors: not_initialized too: nobody has been introduced, so there is no network yet.
  Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) override;
  Result<> withdraw_region(RegionId id) override;
  Result<> open_region(int peer, const PeerRegion& region) override;
  Result<> close_region(int peer, RegionId id, Ticket* done) override;
  void disconnect(int peer, std::string_view why) override;
  std::optional<std::byte*> direct(int, RegionId) const override { return std::nullopt; }
  Result<std::unique_ptr<Context>> open_context() override;
  void on_arrival(std::function<void()> call) override { arrival_ = std::move(call); }
  void on_error(std::function<void(int, Errc, std::string_view)> call) override {
    error_ = std::move(call);
  }
  std::string why(int peer) const override;
  std::string trouble(int peer) const override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override;
  void rest() override;
  bool hears() override;

  // Questions that the processes ask each other beside all traffic, over a line from peer to peer
  // that opens with the first and stays. Both callbacks are set before the first connect(), and are
  // called on the door's thread, one at a time; they may use this transport, but not wait for a
  // peer.
  struct Questions {
    std::function<std::string(uint64_t line, std::string_view question)> reply;
    // Nothing more comes on that line: its asker is gone, or the way to it is.
    std::function<void(uint64_t line)> line_ended;
  };
  void on_question(Questions questions) { questions_ = std::move(questions); }
  // Waits for the answer, for kPatience at each step. Errors: not_found; peer_lost, with what
  // happened: then the line has ended, and the next question opens another.
  Result<std::string> ask(int peer, std::string_view question);

  // The network transport once `peer` has been introduced. Otherwise Errc::again, and the
  // introduction is under way; or why there will be none.
  Result<Transport*> network_to(int peer);
  // Whether something can have been posted to `peer` (or kAllPeers). Errors: not_found, there is no
  // such peer; peer_lost.
  Result<bool> may_have_posted(int peer) const;
  // Null until somebody has been introduced.
  Transport* network() const { return network_.load(std::memory_order_acquire); }

 private:
  enum class State : uint8_t { unknown, stranger, waiting, introduced, lost };
  struct Peer {
    std::atomic<State> state{State::unknown};
    DoorAddress door;
    std::vector<PeerRegion> regions;  // as connect() was told, without keys
    std::string way;                  // how it was reached, or why it was lost
    HostAddress there;                // of its addresses, that at which it was met
    uint64_t give_up_at_ns = 0;       // when its host counts as lost
    std::mutex asking;                // one question at a time; guards line
    UniqueFd line;
  };

  explicit FarTransport(FarOptions options) : options_(std::move(options)) {}
  Peer* find(int peer) const;
  // network(), or why there is none.
  Result<Transport*> opened_network() const;
  // Errc::limit: no thread that could.
  Result<> request_introduction(int number, Peer& peer);
  Welcome answer(const Knock& knock, const HostAddress& at);
  Result<Introduction> knock(Peer& peer, bool has_questions);
  // The provider of the network transport, which is opened if it is not yet.
  Result<std::string> ensure_network(const std::string& provider, const HostAddress& at);
  // Wrapped in one that stripes, and with a keeper, where there are further networks.
  Result<std::unique_ptr<Transport>> with_rails(Network opened, const HostAddress& at,
                                                std::unique_ptr<RailKeeper>& keeper);
  RailKeeper* keeper() const;
  std::optional<RailKeeper::Place> place_of(int peer) const;
  void run_introducer();
  // False: its host may come back, try again.
  bool introduce_peer(int number, Peer& peer);
  Result<> adopt(int number, Peer& peer, const Introduction& made);
  void give_up(int number, Peer& peer, Errc code, std::string sentence);

  const FarOptions options_;
  const Capabilities capabilities_{.name = "ofi", .direct = false, .amo_with_cpu = true};
  std::function<void()> arrival_;
  std::function<void(int, Errc, std::string_view)> error_;
  Questions questions_;

  mutable SpinLock peers_lock_;     // guards the growth of peers_
  mutable std::deque<Peer> peers_;  // by number; stays where it is while it grows

  mutable std::mutex mutex_;  // guards what follows, and way and regions of peers
  std::map<RegionId, std::span<std::byte>> regions_;
  std::map<RegionId, std::string> keys_;  // of those that the network transport has
  std::string provider_;                  // of the network transport
  std::optional<HostAddress> interface_;  // of the network transport, or what the user asked for
  std::unique_ptr<Transport> owned_network_;
  std::unique_ptr<RailKeeper> keeper_;  // of its rails; null where there is one network
  std::deque<int> to_introduce_;
  bool stopping_ = false;
  std::condition_variable changed_;  // the introducer's
  std::thread introducer_;

  std::atomic<Transport*> network_{nullptr};  // release after it is whole; pairs with network()
  std::unique_ptr<Door> door_;                // last: its thread calls answer()
};

}  // namespace canopy::transport::far
