#include "transport/rails/railed_transport.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"

#include <pthread.h>

#include <algorithm>

namespace canopy::transport::rails {
namespace {

// Who waits for stripes moves them on itself. While nobody does, the thread looks so often; a
// context that somebody polled since its last look it leaves alone.
constexpr std::chrono::milliseconds kNap{2};
constexpr std::chrono::hours kLongSleep{1};

}  // namespace

RailedTransport::RailedTransport(std::unique_ptr<Transport> first, const StripeOptions& options,
                                 Keeper keeper)
    : options_(options),
      keeper_(std::move(keeper)),
      first_(std::move(first)),
      contexts_{&main_},
      main_(*this, *first_, nullptr) {
  on_error({});
}

RailedTransport::~RailedTransport() {
  // Release: pairs with the acquire loads of run(); the rings publish it to a sleeper.
  stopping_.store(true, std::memory_order_release);
  idle_bell_.ring(BellScope::process);
  nap_bell_.ring(BellScope::process);
  if (thread_.joinable()) {
    thread_.join();
  }
  first_.reset();  // before the tickets of main_'s chunks that it may still know
}

void RailedTransport::on_arrival(std::function<void()> call) {
  arrival_ = call;
  first_->on_arrival(std::move(call));
}

void RailedTransport::on_error(std::function<void(int, Errc, std::string_view)> call) {
  error_ = std::move(call);
  first_->on_error([this](int peer, Errc code, std::string_view sentence) {
    {
      std::lock_guard lock(peers_mutex_);
      peers_[peer].lost = code;
    }
    losses_.fetch_add(1, std::memory_order_release);  // pairs with losses()
    if (error_) {
      error_(peer, code, sentence);
    }
  });
}

void RailedTransport::arrived() const {
  if (arrival_) {
    arrival_();
  }
}

Errc RailedTransport::loss_code(int peer) const {
  if (losses() == 0) [[likely]] {
    return Errc::ok;
  }
  std::lock_guard lock(peers_mutex_);
  const auto found = peers_.find(peer);
  return found == peers_.end() ? Errc::ok : found->second.lost;
}

template <class Change>
auto RailedTransport::alone(Change&& change) {
  std::lock_guard guard(contexts_mutex_);
  std::vector<std::unique_lock<std::mutex>> holding;
  for (RailedContext* context : contexts_) {
    holding.emplace_back(context->mutex());
  }
  return change();
}

Result<> RailedTransport::connect(int peer, std::string_view address,
                                  std::span<const PeerRegion> regions) {
  CANOPY_TRY(first_->connect(peer, address, regions));
  std::lock_guard lock(peers_mutex_);
  Peer& known = peers_[peer];
  for (const PeerRegion& region : regions) {
    known.regions[region.id] = region.bytes;
  }
  known.look_at_ns = 0;  // rails may reach its new regions, too
  return {};
}

Result<> RailedTransport::open_region(int peer, const PeerRegion& region) {
  CANOPY_TRY(first_->open_region(peer, region));
  std::lock_guard lock(peers_mutex_);
  peers_[peer].regions[region.id] = region.bytes;
  return {};
}

Result<> RailedTransport::close_region(int peer, RegionId id, Ticket* done) {
  return alone([&]() -> Result<> {
    if (std::any_of(contexts_.begin(), contexts_.end(), [&](const RailedContext* context) {
          return context->has_stripes_in(peer, id);
        })) {
      return tl::unexpected(Error{Errc::again, 0, std::source_location::current()});
    }
    CANOPY_TRY(first_->close_region(peer, id, done));
    std::lock_guard lock(peers_mutex_);
    peers_[peer].regions.erase(id);
    return {};
  });
}

Result<std::unique_ptr<Context>> RailedTransport::open_context() {
  CANOPY_ASSIGN(auto inner, first_->open_context());
  Context& first = *inner;
  auto context = std::make_unique<RailedContext>(*this, first, std::move(inner));
  std::lock_guard guard(contexts_mutex_);
  contexts_.push_back(context.get());
  return std::unique_ptr<Context>(std::move(context));
}

void RailedTransport::forget(RailedContext& context) {
  std::lock_guard guard(contexts_mutex_);
  std::erase(contexts_, &context);
  seen_turns_.erase(&context);
}

bool RailedTransport::knows(int peer) const {
  std::lock_guard lock(peers_mutex_);
  return peers_.contains(peer);
}

Result<> RailedTransport::check(const Target& target, size_t nbytes, size_t alignment) const {
  std::lock_guard lock(peers_mutex_);
  const auto peer = peers_.find(target.peer);
  if (peer == peers_.end() || !peer->second.regions.contains(target.region)) {
    return fail(Errc::not_found, "ofi: peer {} has no region {} here", target.peer, target.region);
  }
  const uint64_t bytes = peer->second.regions.at(target.region);
  if (target.offset > bytes || nbytes > bytes - target.offset) {
    return fail(Errc::out_of_range,
                "ofi: peer {} region {}: {} bytes at offset {} leave its {} bytes", target.peer,
                target.region, nbytes, target.offset, bytes);
  }
  if (target.offset % alignment != 0) {
    return fail(Errc::misaligned, "ofi: peer {} region {}: offset {} is not a multiple of {}",
                target.peer, target.region, target.offset, alignment);
  }
  return {};
}

std::shared_ptr<const std::vector<Way>> RailedTransport::ways_to(int peer) {
  std::unique_lock lock(peers_mutex_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) {
    return nullptr;
  }
  Peer& known = found->second;
  const bool look = known.look_at_ns != kNever && known.look_at_ns <= monotonic_ns();
  if (look) {
    known.look_at_ns = kNever;
  }
  auto ways = known.ways;
  lock.unlock();
  if (look && keeper_.wanted) {
    keeper_.wanted(peer);
  }
  return ways;
}

Result<> RailedTransport::add_way(int peer, const RailPtr& rail, std::vector<RegionId> regions) {
  std::sort(regions.begin(), regions.end());
  std::lock_guard lock(peers_mutex_);
  if (!thread_.joinable()) {
    CANOPY_TRY(start_thread(&thread_, "progress of further rails", [this] { run(); }));
    ::pthread_setname_np(thread_.native_handle(), "canopy-rails");
  }
  Peer& known = peers_[peer];
  auto ways = known.ways == nullptr ? std::vector<Way>() : *known.ways;
  std::erase_if(ways, [&](const Way& way) { return way.rail == rail; });
  ways.push_back({rail, std::move(regions)});
  known.ways = std::make_shared<const std::vector<Way>>(std::move(ways));
  return {};
}

void RailedTransport::look_again_at(int peer, uint64_t at_ns) {
  std::lock_guard lock(peers_mutex_);
  peers_[peer].look_at_ns = at_ns;
}

void RailedTransport::fail_rail(const RailPtr& rail, std::string_view why) {
  if (rail->failed.exchange(true, std::memory_order_relaxed)) {
    return;
  }
  log(LogLevel::warn, "ofi: the rail at {} has failed: {}", rail->name, why);
  if (keeper_.failed) {
    keeper_.failed(rail);
  }
}

std::set<int> RailedTransport::retire(const RailPtr& rail) {
  rail->failed.store(true, std::memory_order_relaxed);
  {
    std::lock_guard lock(peers_mutex_);
    for (auto& [peer, known] : peers_) {
      if (known.ways != nullptr) {
        auto ways = *known.ways;
        std::erase_if(ways, [&](const Way& way) { return way.rail == rail; });
        known.ways = std::make_shared<const std::vector<Way>>(std::move(ways));
      }
    }
  }
  std::set<int> puts_to;
  std::lock_guard guard(contexts_mutex_);
  for (RailedContext* context : contexts_) {
    // Who holds it now uses the rail for the last time.
    std::lock_guard holding(context->mutex());
    context->strand(*rail, puts_to);
  }
  return puts_to;
}

void RailedTransport::resend_gets(const Rail& rail) {
  alone([&] {
    for (RailedContext* context : contexts_) {
      context->resend_gets(rail);
    }
  });
}

void RailedTransport::resend(const Rail& rail, int peer) {
  alone([&] {
    for (RailedContext* context : contexts_) {
      context->resend(rail, peer);
    }
  });
}

bool RailedTransport::anything_busy() {
  std::lock_guard guard(contexts_mutex_);
  return std::any_of(contexts_.begin(), contexts_.end(),
                     [](const RailedContext* context) { return context->busy(); });
}

bool RailedTransport::serve() {
  std::lock_guard guard(contexts_mutex_);
  bool busy = false;
  for (RailedContext* context : contexts_) {
    if (context->busy()) {
      busy = true;
      uint64_t& seen = seen_turns_[context];
      if (seen == context->turns()) {
        context->work();
      }
      seen = context->turns();
    }
  }
  return busy;
}

void RailedTransport::run() {
  const auto goes_on = [this] { return !stopping_.load(std::memory_order_acquire); };
  while (goes_on()) {
    if (serve()) {
      nap_bell_.sleep(BellScope::process, kNap, goes_on);
    } else {
      idle_bell_.sleep(BellScope::process, kLongSleep,
                       [&] { return goes_on() && !anything_busy(); });
    }
  }
}

}  // namespace canopy::transport::rails
