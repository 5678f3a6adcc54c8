#include "transport/ofi/ofi_transport.h"

#include "runtime/base/clock.h"
#include "runtime/base/random_id.h"
#include "runtime/base/waiter.h"
#include "transport/ofi/address.h"

#include <poll.h>

#include <algorithm>

namespace canopy::transport::ofi {
namespace {

constexpr double kLongestWithoutServerNs = 50'000;

}  // namespace

OfiTransport::OfiTransport(std::unique_ptr<Domain> domain)
    : id_(random_id()),
      domain_(std::move(domain)),
      longest_without_server_(static_cast<uint64_t>(kLongestWithoutServerNs * TickScale::ticks_per_ns())) {}

Result<std::unique_ptr<OfiTransport>> OfiTransport::open(const ProviderWish& wish) {
  CANOPY_ASSIGN(Provider provider, choose_provider(wish));
  CANOPY_ASSIGN(auto domain, Domain::open(std::move(provider)));
  std::unique_ptr<OfiTransport> self(new OfiTransport(std::move(domain)));
  CANOPY_TRY(self->start());
  return self;
}

Result<> OfiTransport::start() {
  CANOPY_ASSIGN(server_, ServerEndpoint::open(*domain_, registry_, id_));
  CANOPY_ASSIGN(flush_memory_,
                domain_->register_memory(flushed_, Access::remote, server_->endpoint().ep()));
  CANOPY_TRY(make_address());
  CANOPY_ASSIGN(main_, OfiContext::open(*domain_, registry_));
  contexts_.push_back(main_.get());
  CANOPY_ASSIGN(thread_, ProgressThread::start(*this));
  main_->on_post([this] { thread_->notice(); });
  return {};
}

OfiTransport::~OfiTransport() {
  thread_.reset();
  // Registrations may be bound to the endpoint.
  flush_memory_ = {};
  registry_.forget_regions();
}

Result<> OfiTransport::make_address() {
  EndpointAddress mine;
  mine.provider = domain_->provider().name();
  mine.server = id_;
  mine.flush_base = flush_memory_.base;
  mine.flush_key = flush_memory_.key;
  CANOPY_ASSIGN(mine.name, server_->endpoint().name());
  address_ = mine.pack();
  return {};
}

template <class Change>
auto OfiTransport::alone(Change&& change) {
  std::lock_guard guard(mutex_);
  server_->baton().lock();
  for (OfiContext* context : contexts_) {
    context->baton().lock();
  }
  auto result = change();
  for (OfiContext* context : contexts_) {
    context->baton().unlock();
  }
  server_->baton().unlock();
  return result;
}

Result<std::string> OfiTransport::register_region(RegionId id, std::span<std::byte> memory) {
  return add_region(id, memory, true);
}

Result<std::string> OfiTransport::offer_region(RegionId id, std::span<std::byte> memory) {
  return add_region(id, memory, false);
}

Result<std::string> OfiTransport::add_region(RegionId id, std::span<std::byte> memory, bool stays) {
  if (id >= kMostRegions) {
    return fail(Errc::invalid_argument, "ofi: region {}: ids are below {}", id, kMostRegions);
  }
  LocalRegion region{memory, {}, stays};
  CANOPY_ASSIGN(region.registration,
                domain_->register_memory(memory, Access::remote, server_->endpoint().ep()));
  const RegionKey key{region.registration.base, region.registration.key};
  CANOPY_TRY(alone([&] { return registry_.add_region(id, std::move(region)); }));
  return key.pack();
}

Result<> OfiTransport::withdraw_region(RegionId id) {
  // Messages of peers find it no more; its registration ends here, outside of the batons.
  CANOPY_ASSIGN(const LocalRegion gone, alone([&] { return registry_.take_region(id); }));
  return {};
}

Result<> OfiTransport::open_region(int peer, const PeerRegion& region) {
  CANOPY_ASSIGN(const RegionKey key, RegionKey::unpack(region.key));
  if (region.id >= kMostRegions || region.bytes == 0) {
    return fail(Errc::invalid_argument,
                "ofi: peer {} region {} of {} bytes: ids are below {}, and none is empty", peer,
                region.id, region.bytes, kMostRegions);
  }
  return alone([&]() -> Result<> {
    if (registry_.peer(peer) == nullptr) {
      return fail(Errc::not_found, "ofi: there is no peer {} here", peer);
    }
    auto& windows = registry_.add_peer(peer).regions;
    if (windows.size() <= region.id) {
      windows.resize(region.id + 1);
    }
    if (windows[region.id].bytes != 0) {
      return fail(Errc::invalid_argument, "ofi: region {} of peer {} is open already", region.id,
                  peer);
    }
    windows[region.id] = {region.bytes, key.base, key.key};
    return {};
  });
}

Result<> OfiTransport::close_region(int peer, RegionId id, Ticket* done) {
  std::shared_ptr<Closing> closing;  // ends outside of the batons, if nothing else holds it
  return alone([&]() -> Result<> {
    const RemotePeer* known = registry_.peer(peer);
    if (known == nullptr || id >= known->regions.size() || known->regions[id].bytes == 0) {
      return fail(Errc::not_found, "ofi: peer {} has no region {} here", peer, id);
    }
    if (std::any_of(contexts_.begin(), contexts_.end(),
                    [&](const OfiContext* context) { return context->has_pieces_for(peer); })) {
      return tl::unexpected(Error{Errc::again, 0, std::source_location::current()});
    }
    registry_.add_peer(peer).regions[id] = {};
    closing = std::make_shared<Closing>(done);
    for (OfiContext* context : contexts_) {
      context->drain(peer, closing);
    }
    return {};
  });
}

Result<> OfiTransport::connect(int peer, std::string_view address,
                               std::span<const PeerRegion> regions) {
  std::vector<RegionKey> keys;
  for (const PeerRegion& region : regions) {
    if (region.key.empty()) {
      return fail(Errc::not_supported, "ofi: region {} ({} bytes) of peer {} has no key", region.id,
                  region.bytes, peer);
    }
    CANOPY_ASSIGN(keys.emplace_back(), RegionKey::unpack(region.key));
  }
  CANOPY_ASSIGN(const EndpointAddress theirs, EndpointAddress::unpack(address));
  if (theirs.provider != domain_->provider().name()) {
    return fail(Errc::not_supported, "ofi: peer {} speaks provider {}, we speak {}", peer,
                theirs.provider, domain_->provider().name());
  }
  if (peer < 0) {
    return fail(Errc::invalid_argument, "ofi: {} is no number for a peer", peer);
  }
  return alone([&]() -> Result<> {
    RemotePeer& remote = registry_.add_peer(peer);
    if (!remote.connected || remote.server != theirs.server) {
      CANOPY_ASSIGN(remote.address, domain_->insert_address(theirs.name));
      remote.server = theirs.server;
      remote.flush = {sizeof flushed_, theirs.flush_base, theirs.flush_key};
      remote.connected = true;
    }
    for (size_t i = 0; i < regions.size(); ++i) {
      if (remote.regions.size() <= regions[i].id) {
        remote.regions.resize(regions[i].id + 1);
      }
      remote.regions[regions[i].id] = {regions[i].bytes, keys[i].base, keys[i].key};
    }
    return {};
  });
}

void OfiTransport::disconnect(int peer, std::string_view why) {
  registry_.lose(peer, Errc::peer_lost, why);
  // What is pending fails soon, whoever waits.
  thread_->rest();
  thread_->wake();
}

// Software moves bytes in calls, which nobody makes any more; hardware through registrations. The
// endpoints stay: libfabric 1.17 ends the process with SIGSEGV when one is closed into which half of
// a put has come (rxm_handle_comp_error() on a completion without a context).
void OfiTransport::halt() {
  thread_.reset();
  alone([&] {
    for (OfiContext* context : contexts_) {
      context->unregister_sources();
    }
    flush_memory_ = {};
    registry_.forget_regions();
    return Result<>();
  });
}

Result<std::unique_ptr<Context>> OfiTransport::open_context() {
  CANOPY_ASSIGN(auto context, OfiContext::open(*domain_, registry_));
  context->on_close([this](OfiContext& closed) { forget(closed); });
  context->on_post([this] { thread_->notice(); });
  std::lock_guard guard(mutex_);
  contexts_.push_back(context.get());
  return std::unique_ptr<Context>(std::move(context));
}

void OfiTransport::forget(OfiContext& context) {
  std::lock_guard guard(mutex_);
  std::erase(contexts_, &context);
}

void OfiTransport::on_arrival(std::function<void()> call) { registry_.arrival = std::move(call); }

void OfiTransport::on_error(std::function<void(int, Errc, std::string_view)> call) {
  registry_.error = std::move(call);
}

// Who waits for its own operations looks at the server now and then, who waits for others the other
// way round: each queue costs a good part of a microsecond. (2026-11, tcp: a put of 8 bytes takes 2
// us more with the server in every 4th turn than in every 16th.) While peers want nothing it is
// the time that counts, whether turns are short or move pieces of a large transfer.
int OfiTransport::progress() {
  const uint64_t turn = load_relaxed(&turn_) + 1;
  store_relaxed(&turn_, turn);
  if (!main_->busy()) {
    // Without an operation under way there is nothing on the other queue but connections that end.
    const int served = serve_in(turn);
    return served + (turn % 64 == 0 ? main_->progress() : 0);
  }
  const bool peers_busy = SpinBudget::crowded() || turn - load_relaxed(&heard_in_turn_) < 64;
  const int completed = main_->progress();
  const bool is_time =
      (peers_busy && turn % 4 == 0) || ticks() - load_relaxed(&served_at_) > longest_without_server_;
  return completed + (is_time ? serve_in(turn) : 0);
}

int OfiTransport::serve_in(uint64_t turn) {
  store_relaxed(&served_turns_, load_relaxed(&served_turns_) + 1);
  store_relaxed(&served_at_, ticks());
  const int served = server_->serve();
  if (served > 0) {
    store_relaxed(&heard_in_turn_, turn);
  }
  return served;
}

uint64_t OfiTransport::since_poll_ns() {
  const uint64_t at = load_relaxed(&served_at_);
  const uint64_t now = ticks();  // may be behind another core's by a little
  return now <= at ? 0 : static_cast<uint64_t>(static_cast<double>(now - at) / TickScale::ticks_per_ns());
}

bool OfiTransport::hears() {
  if (thread_->serves()) {
    return true;
  }
  pollfd fd{wait_fd(), POLLIN, 0};
  return fd.fd >= 0 && (!may_sleep() || ::poll(&fd, 1, 0) > 0);
}

int OfiTransport::serve() {
  std::lock_guard guard(mutex_);
  int completed = server_->serve();
  for (OfiContext* context : contexts_) {
    if (context->busy()) {
      completed += context->serve();
    }
  }
  return completed;
}

bool OfiTransport::active() {
  std::lock_guard guard(mutex_);
  uint64_t polls = 0;
  bool busy = false;
  for (const OfiContext* context : contexts_) {
    polls += context->polls();
    busy |= context->busy();
  }
  return std::exchange(seen_polls_, polls) != polls || busy;
}

bool OfiTransport::may_sleep() {
  fid* queue = &server_->endpoint().cq()->fid;
  return wait_fd() < 0 || fi_trywait(domain_->fabric(), &queue, 1) == 0;
}

}  // namespace canopy::transport::ofi
