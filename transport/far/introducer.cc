// FarTransport, the part that introduces: opens the network transport, knocks at doors, and answers
// who knocks at ours.
#include "transport/far/far_transport.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

namespace canopy::transport::far {
namespace {

// Between two tries to reach a host that does not answer: much shorter than the time it is given.
constexpr std::chrono::milliseconds kRetry{100};

}  // namespace

Result<> FarTransport::request_introduction(int number, Peer& peer) {
  State expected = State::stranger;
  // The winner asks. Acquire and release: as network_to() and adopt().
  if (!peer.state.compare_exchange_strong(expected, State::waiting, std::memory_order_acq_rel)) {
    return {};
  }
  std::lock_guard lock(mutex_);
  if (!introducer_.joinable() && !stopping_) {
    auto started = start_thread(&introducer_, "introductions to other hosts", [this] { run_introducer(); });
    if (!started) {
      // The next one asks again. Release: as the exchange above.
      peer.state.store(State::stranger, std::memory_order_release);
      return started;
    }
    ::pthread_setname_np(introducer_.native_handle(), "canopy-intro");
  }
  peer.give_up_at_ns =
      monotonic_ns() + static_cast<uint64_t>(options_.host_timeout.count()) * 1'000'000;
  to_introduce_.push_back(number);
  changed_.notify_all();
  return {};
}

void FarTransport::run_introducer() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !to_introduce_.empty(); });
    if (stopping_) {
      return;
    }
    const int number = to_introduce_.front();
    to_introduce_.pop_front();
    lock.unlock();
    const bool over = introduce_peer(number, *find(number));
    if (over && arrival_) {
      arrival_();  // somebody may sleep until now
    }
    lock.lock();
    if (!over) {
      to_introduce_.push_back(number);
      changed_.wait_for(lock, kRetry, [this] { return stopping_; });
    }
  }
}

bool FarTransport::introduce_peer(int number, Peer& peer) {
  if (peer.state.load(std::memory_order_acquire) != State::waiting) {
    return true;  // given up meanwhile
  }
  auto made = knock(peer, false);
  const auto adopted = made ? adopt(number, peer, *made) : Result<>(tl::unexpected(made.error()));
  if (adopted) {
    return true;
  }
  if (adopted.error().code == Errc::timeout && monotonic_ns() < peer.give_up_at_ns) {
    return false;
  }
  const Errc code = adopted.error().code == Errc::timeout ? Errc::peer_lost : adopted.error().code;
  give_up(number, peer, code, fmt::format("it cannot be reached: {}", error_text::newest()));
  return true;
}

Result<Introduction> FarTransport::knock(Peer& peer, bool has_questions) {
  DoorAddress door;
  std::optional<HostAddress> from;
  {
    std::lock_guard lock(mutex_);
    door = peer.door;
    from = interface_;
  }
  const auto provider_at = [&](const HostAddress& here) {
    return ensure_network(options_.provider, here);
  };
  return introduce(door, from ? &*from : nullptr, provider_at, has_questions);
}

Result<std::string> FarTransport::ask(int number, std::string_view question) {
  Peer* peer = find(number);
  // Acquire: as in network_to().
  const State state =
      peer != nullptr ? peer->state.load(std::memory_order_acquire) : State::unknown;
  if (state == State::unknown) {
    return fail(Errc::not_found, "ofi: there is no peer {} here", number);
  }
  if (state == State::lost) {
    return fail(Errc::peer_lost, "ofi: peer {} is lost: {}", number, trouble(number));
  }
  std::lock_guard asking(peer->asking);
  if (!peer->line) {
    auto made = knock(*peer, true);
    if (!made) {
      return fail(Errc::peer_lost, "ofi: peer {} cannot be asked: {}", number,
                  error_text::take_newest());
    }
    peer->line = std::move(made->line);
  }
  auto answer = send_framed(peer->line.get(), question).and_then([&] {
    return receive_framed(peer->line.get());
  });
  if (!answer) {
    peer->line.reset();
    return fail(Errc::peer_lost, "ofi: peer {} does not answer: {}", number,
                error_text::take_newest());
  }
  return std::move(*answer);
}

Result<> FarTransport::adopt(int number, Peer& peer, const Introduction& made) {
  std::lock_guard lock(mutex_);
  std::vector<PeerRegion> regions = peer.regions;
  for (PeerRegion& wanted : regions) {
    const auto& told = made.welcome.regions;
    const auto found = std::find_if(
        told.begin(), told.end(), [&](const PeerRegion& region) { return region.id == wanted.id; });
    if (found == told.end() || found->bytes < wanted.bytes) {
      return fail(Errc::not_found, "peer {} has no region {} of {} bytes", number, wanted.id,
                  wanted.bytes);
    }
    wanted.key = found->key;
  }
  CANOPY_TRY(owned_network_->connect(number, made.welcome.address, regions));
  peer.way =
      fmt::format("ofi: libfabric {}, {} to {}", provider_, made.here.text(), made.there.text());
  peer.there = made.there;
  State expected = State::waiting;
  // Release: pairs with network_to(). Nothing changes when it was given up meanwhile.
  peer.state.compare_exchange_strong(expected, State::introduced, std::memory_order_acq_rel);
  return {};
}

void FarTransport::give_up(int number, Peer& peer, Errc code, std::string sentence) {
  {
    std::lock_guard lock(mutex_);
    peer.way = sentence;
  }
  // Acquire and release: whoever sees the loss sees the sentence.
  if (peer.state.exchange(State::lost, std::memory_order_acq_rel) == State::lost) {
    return;
  }
  if (Transport* inner = network()) {
    inner->disconnect(number, sentence);  // tells error_ too, for a peer that it knows
  } else if (error_) {
    error_(number, code, sentence);
  }
}

Result<std::string> FarTransport::ensure_network(const std::string& provider,
                                                 const HostAddress& at) {
  std::lock_guard lock(mutex_);
  if (owned_network_ != nullptr) {
    if (!provider.empty() && provider != provider_) {
      return fail(Errc::not_supported, "it speaks provider {}, not {}", provider_, provider);
    }
    return provider_;
  }
  CANOPY_ASSIGN(Network opened, options_.open_network({provider, at.text(), false}));
  const std::string name = opened.provider;
  std::unique_ptr<RailKeeper> keeper;
  CANOPY_ASSIGN(auto transport, with_rails(std::move(opened), at, keeper));
  transport->on_arrival(arrival_);
  transport->on_error(error_);
  for (const auto& [id, memory] : regions_) {
    CANOPY_ASSIGN(keys_[id], transport->register_region(id, memory));
  }
  log(LogLevel::info, "ofi: provider {} on {}", name, at.text());
  provider_ = name;
  interface_ = at;
  keeper_ = std::move(keeper);
  owned_network_ = std::move(transport);
  network_.store(owned_network_.get(), std::memory_order_release);  // pairs with network()
  return provider_;
}

Result<std::unique_ptr<Transport>> FarTransport::with_rails(Network opened,
                                                            const HostAddress& at,
                                                            std::unique_ptr<RailKeeper>& keeper) {
  CANOPY_ASSIGN(const auto all, interfaces_of_this_host(options_.interface));
  const auto first = std::find_if(all.begin(), all.end(), [&](const HostInterface& each) {
    return each.address == at;
  });
  std::vector<HostInterface> further;
  for (const HostInterface& each : all) {
    if (first == all.end() || each.name != first->name) {
      further.push_back(each);
    }
  }
  if (options_.rails < 2 || further.empty()) {
    return std::move(opened.transport);
  }
  RailKeeper::Surroundings around;
  around.place = [this](int peer) { return place_of(peer); };
  around.regions = [this] {
    std::lock_guard lock(mutex_);
    return regions_;
  };
  around.open_network = options_.open_network;
  around.gone = [this](int peer, std::string sentence) {
    give_up(peer, *find(peer), Errc::peer_lost, std::move(sentence));
  };
  around.arrival = arrival_;
  keeper = std::make_unique<RailKeeper>(
      RailKeeper::Options{at, std::move(further), options_.rails - 1, opened.provider},
      std::move(around));
  return keeper->wrap(std::move(opened.transport), options_.stripes);
}

std::optional<RailKeeper::Place> FarTransport::place_of(int number) const {
  const Peer* peer = find(number);
  if (peer == nullptr || peer->state.load(std::memory_order_acquire) == State::lost ||
      !network()->trouble(number).empty()) {
    return std::nullopt;
  }
  std::lock_guard lock(mutex_);
  return RailKeeper::Place{peer->door, peer->there};
}

// On the door's thread.
Welcome FarTransport::answer(const Knock& knock, const HostAddress& at) {
  Welcome welcome;
  if (knock.purpose != Purpose::meet) {
    if (RailKeeper* rails = keeper()) {
      return rails->answer(knock, at);
    }
    welcome.refusal = "it uses one network";
    return welcome;
  }
  if (auto ready = ensure_network(knock.provider, at); !ready) {
    welcome.refusal = error_text::newest();
    return welcome;
  }
  std::lock_guard lock(mutex_);
  auto address = owned_network_->address();
  if (!address) {
    welcome.refusal = error_text::newest();
    return welcome;
  }
  welcome.address = std::move(*address);
  for (const auto& [id, memory] : regions_) {
    welcome.regions.push_back({.id = id, .bytes = memory.size(), .key = keys_[id]});
  }
  return welcome;
}

}  // namespace canopy::transport::far
