#include "transport/far/far_transport.h"

#include "runtime/base/clock.h"
#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "transport/far/far_context.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace canopy::transport::far {
namespace {

Result<size_t> rails_wanted() {
  const auto value = env::text("CANOPY_OFI_RAILS").value_or("all");
  if (value == "all") {
    return std::numeric_limits<size_t>::max();
  }
  size_t number = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() || number == 0) {
    return fail(Errc::invalid_argument,
                "CANOPY_OFI_RAILS={}: it is a number of networks, at least 1, or all", value);
  }
  return number;
}

}  // namespace

Result<std::unique_ptr<FarTransport>> FarTransport::open(FarOptions options) {
  if (options.provider.empty()) {
    options.provider = env::text("CANOPY_OFI_PROVIDER").value_or("");
  }
  if (options.interface.empty()) {
    options.interface = env::text("CANOPY_OFI_INTERFACE").value_or("");
  }
  if (options.host_timeout.count() == 0) {
    options.host_timeout =
        std::chrono::milliseconds(env::integer("CANOPY_HOST_TIMEOUT_MS").value_or(10'000));
  }
  if (options.rails == 0) {
    CANOPY_ASSIGN(options.rails, rails_wanted());
  }
  if (options.stripes.least_bytes == 0) {
    options.stripes.least_bytes =
        env::bytes("CANOPY_OFI_STRIPE").value_or(rails::StripeOptions{}.least_bytes);
    options.stripes.least_bytes = std::max<size_t>(options.stripes.least_bytes, 1);
  }
  if (!options.open_network) {
    options.open_network = open_network_plugin;
  }
  std::unique_ptr<FarTransport> self(new FarTransport(std::move(options)));
  CANOPY_ASSIGN(auto hosts, addresses_of_this_host(self->options_.interface));
  if (!self->options_.interface.empty()) {
    self->interface_ = hosts.front();
  }
  FarTransport* far = self.get();
  DoorKeeper keeper;
  keeper.welcome = [far](const Knock& knock, const HostAddress& at) {
    return far->answer(knock, at);
  };
  keeper.reply = [far](uint64_t line, std::string_view question) {
    return far->questions_.reply ? far->questions_.reply(line, question) : std::string();
  };
  keeper.line_ended = [far](uint64_t line) {
    if (far->questions_.line_ended) {
      far->questions_.line_ended(line);
    }
  };
  CANOPY_ASSIGN(self->door_, Door::open(std::move(hosts), std::move(keeper)));
  return self;
}

FarTransport::~FarTransport() {
  door_.reset();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (introducer_.joinable()) {
    introducer_.join();
  }
  keeper_.reset();  // its rails before what stripes over them
}

FarTransport::Peer* FarTransport::find(int peer) const {
  std::lock_guard lock(peers_lock_);
  const auto index = static_cast<size_t>(peer);
  return peer >= 0 && index < peers_.size() ? &peers_[index] : nullptr;
}

Result<std::string> FarTransport::register_region(RegionId id, std::span<std::byte> memory) {
  {
    std::lock_guard lock(mutex_);
    if (!regions_.emplace(id, memory).second) {
      return fail(Errc::invalid_argument, "ofi: region {} is registered already", id);
    }
    if (owned_network_ != nullptr) {
      CANOPY_ASSIGN(keys_[id], owned_network_->register_region(id, memory));
    }
  }
  if (RailKeeper* rails = keeper()) {
    CANOPY_TRY(rails->register_region(id, memory));
  }
  return std::string();
}

RailKeeper* FarTransport::keeper() const {
  std::lock_guard lock(mutex_);
  return keeper_.get();
}

Result<> FarTransport::connect(int peer, std::string_view address,
                               std::span<const PeerRegion> regions) {
  if (peer < 0) {
    return fail(Errc::invalid_argument, "ofi: {} is no number for a peer", peer);
  }
  if (address.empty()) {
    return fail(Errc::not_supported, "ofi: peer {} has no address, so region {} cannot be reached",
                peer, regions.empty() ? 0 : regions.front().id);
  }
  CANOPY_ASSIGN(DoorAddress door, DoorAddress::unpack(address));
  {
    std::lock_guard lock(peers_lock_);
    while (peers_.size() <= static_cast<size_t>(peer)) {
      peers_.emplace_back();
    }
  }
  Peer& entry = *find(peer);
  std::lock_guard lock(mutex_);
  entry.door = std::move(door);
  for (const PeerRegion& region : regions) {
    std::erase_if(entry.regions, [&](const PeerRegion& known) { return known.id == region.id; });
    entry.regions.push_back(region);
  }
  // Also when it has been introduced before: its new regions have not. Release: pairs with
  // network_to().
  entry.state.store(State::stranger, std::memory_order_release);
  return {};
}

Result<Transport*> FarTransport::opened_network() const {
  if (Transport* inner = network()) {
    return inner;
  }
  return fail(Errc::not_initialized,
              "ofi: nobody has been introduced, so there is no network to have regions");
}

Result<std::string> FarTransport::offer_region(RegionId id, std::span<std::byte> memory) {
  return opened_network().and_then(
      [&](Transport* inner) { return inner->offer_region(id, memory); });
}

Result<> FarTransport::withdraw_region(RegionId id) {
  return opened_network().and_then([&](Transport* inner) { return inner->withdraw_region(id); });
}

Result<> FarTransport::open_region(int peer, const PeerRegion& region) {
  return network_to(peer).and_then(
      [&](Transport* inner) { return inner->open_region(peer, region); });
}

// Of a peer that is lost, too.
Result<> FarTransport::close_region(int peer, RegionId id, Ticket* done) {
  return opened_network().and_then(
      [&](Transport* inner) { return inner->close_region(peer, id, done); });
}

void FarTransport::disconnect(int peer, std::string_view why) {
  Peer* entry = find(peer);
  if (entry != nullptr && entry->state.load(std::memory_order_acquire) != State::lost) {
    give_up(peer, *entry, Errc::peer_lost, std::string(why));
  }
}

Result<std::unique_ptr<Context>> FarTransport::open_context() {
  return std::unique_ptr<Context>(std::make_unique<FarContext>(*this));
}

std::string FarTransport::why(int peer) const {
  const Peer* entry = find(peer);
  if (entry == nullptr) {
    return "no such peer";
  }
  std::lock_guard lock(mutex_);
  return entry->way.empty() ? "ofi: not used yet" : entry->way;
}

std::string FarTransport::trouble(int peer) const {
  const Peer* entry = find(peer);
  if (entry != nullptr && entry->state.load(std::memory_order_acquire) == State::lost) {
    std::lock_guard lock(mutex_);
    return entry->way;
  }
  const Transport* inner = network();
  return inner != nullptr ? inner->trouble(peer) : std::string();
}

Result<Transport*> FarTransport::network_to(int peer) {
  Peer* entry = find(peer);
  // Acquire: what the introducer did is visible; pairs with adopt().
  const State state =
      entry != nullptr ? entry->state.load(std::memory_order_acquire) : State::unknown;
  switch (state) {
    case State::introduced:
      return network();
    case State::stranger:
      CANOPY_TRY(request_introduction(peer, *entry));
      [[fallthrough]];
    case State::waiting:
      return tl::unexpected(Error{Errc::again, 0, std::source_location::current()});
    case State::lost:
      return fail(Errc::peer_lost, "ofi: peer {} is lost: {}", peer, trouble(peer));
    case State::unknown:
      break;
  }
  return fail(Errc::not_found, "ofi: there is no peer {} here", peer);
}

Result<bool> FarTransport::may_have_posted(int peer) const {
  if (peer == kAllPeers) {
    return network() != nullptr;
  }
  const Peer* entry = find(peer);
  const State state =
      entry != nullptr ? entry->state.load(std::memory_order_acquire) : State::unknown;
  if (state == State::unknown) {
    return fail(Errc::not_found, "ofi: there is no peer {} here", peer);
  }
  if (state == State::lost) {
    return fail(Errc::peer_lost, "ofi: peer {} is lost: {}", peer, trouble(peer));
  }
  return state == State::introduced;
}

Result<> FarTransport::post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(Transport * inner, network_to(to.peer));
  return inner->post_put(to, src, nbytes, done);
}

Result<> FarTransport::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(Transport * inner, network_to(from.peer));
  return inner->post_get(dst, from, nbytes, done);
}

Result<> FarTransport::post_amo(const Target& at, const Amo& operation, uint64_t* old,
                                Ticket* done) {
  CANOPY_ASSIGN(Transport * inner, network_to(at.peer));
  return inner->post_amo(at, operation, old, done);
}

Result<> FarTransport::signal(const Target& at, const Signal& update) {
  CANOPY_ASSIGN(Transport * inner, network_to(at.peer));
  return inner->signal(at, update);
}

void FarTransport::fence() {
  if (Transport* inner = network()) {
    inner->fence();
  }
}

Result<> FarTransport::post_quiet(int peer, Ticket* done) {
  CANOPY_ASSIGN(const bool posted, may_have_posted(peer));
  if (posted) {
    return network()->post_quiet(peer, done);
  }
  settle(done, Errc::ok);
  return {};
}

int FarTransport::progress() {
  Transport* inner = network();
  return inner != nullptr ? inner->progress() : 0;
}

bool FarTransport::hears() {
  Transport* inner = network();
  return inner != nullptr && inner->hears();
}

void FarTransport::rest() {
  if (Transport* inner = network()) {
    inner->rest();
  }
}

}  // namespace canopy::transport::far
