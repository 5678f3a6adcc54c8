#include "transport/faulty/faulty_transport.h"

#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"

#include <signal.h>

#include <algorithm>
#include <chrono>

namespace canopy::transport {
namespace {

// How long what is held may wait for somebody to poll.
constexpr auto kPumpAfter = std::chrono::milliseconds(1);

}  // namespace

// A further context: known to the pump while it lives.
class FaultyTransport::Opened final : public Context {
 public:
  Opened(FaultyTransport& owner, std::unique_ptr<Context> inner)
      : owner_(owner), context_(owner.faults_, std::move(inner)) {
    owner_.enlist(&context_);
  }
  ~Opened() override { owner_.strike(&context_); }

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return context_.post_put(to, src, nbytes, done);
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return context_.post_get(dst, from, nbytes, done);
  }
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override {
    return context_.post_amo(at, operation, old, done);
  }
  Result<> signal(const Target& at, const Signal& update) override {
    return context_.signal(at, update);
  }
  void fence() override { context_.fence(); }
  Result<> post_quiet(int peer, Ticket* done) override { return context_.post_quiet(peer, done); }
  int progress() override { return context_.progress(); }
  void rest() override { context_.rest(); }
  std::string trouble(int peer) const override { return context_.trouble(peer); }

 private:
  FaultyTransport& owner_;
  FaultyContext context_;
};

FaultyTransport::FaultyTransport(std::unique_ptr<Transport> inner, const FaultPlan& plan, int salt)
    : inner_(std::move(inner)),
      faults_(plan, salt, fmt::format("faulty {}", inner_->capabilities().name)),
      capabilities_{.name = faults_.name(),
                    .direct = false,
                    .amo_with_cpu = inner_->capabilities().amo_with_cpu},
      default_(faults_, *inner_) {
  enlist(&default_);
  if (plan.holds()) {
    if (!start_thread(&pump_, "what is held back", [this](const std::stop_token& stop) { pump(stop); })) {
      log(LogLevel::warn, "faulty: {}; it goes on while somebody polls", error_text::take_newest());
    }
  }
}

FaultyTransport::~FaultyTransport() {
  pump_.request_stop();
  faults_.bell.ring(BellScope::process);
}

Result<> FaultyTransport::connect(int peer, std::string_view address,
                                  std::span<const PeerRegion> regions) {
  CANOPY_TRY(inner_->connect(peer, address, regions));
  for (const PeerRegion& region : regions) {
    faults_.add_window(peer, region.id, region.bytes);
  }
  return {};
}

Result<> FaultyTransport::open_region(int peer, const PeerRegion& region) {
  CANOPY_TRY(inner_->open_region(peer, region));
  faults_.open(peer, region.id, region.bytes);
  return {};
}

Result<> FaultyTransport::close_region(int peer, RegionId id, Ticket* done) {
  {
    std::lock_guard lock(mutex_);
    const bool held = std::any_of(contexts_.begin(), contexts_.end(),
                                  [&](FaultyContext* context) { return context->holds(peer, id); });
    if (held) {
      return tl::unexpected(Error{Errc::again, 0, std::source_location::current()});
    }
  }
  CANOPY_TRY(inner_->close_region(peer, id, done));
  faults_.close(peer, id);
  return {};
}

void FaultyTransport::disconnect(int peer, std::string_view why) {
  inner_->disconnect(peer, why);
  faults_.lose(peer, why);
}

Result<std::unique_ptr<Context>> FaultyTransport::open_context() {
  CANOPY_ASSIGN(std::unique_ptr<Context> inner, inner_->open_context());
  return std::unique_ptr<Context>(std::make_unique<Opened>(*this, std::move(inner)));
}

void FaultyTransport::enlist(FaultyContext* context) {
  std::lock_guard lock(mutex_);
  contexts_.push_back(context);
}

void FaultyTransport::strike(FaultyContext* context) {
  std::lock_guard lock(mutex_);
  std::erase(contexts_, context);
}

void FaultyTransport::pump(const std::stop_token& stop) {
  uint64_t seen = 0;
  while (!stop.stop_requested()) {
    // Acquire: pairs with the release in post().
    if (faults_.held.load(std::memory_order_acquire) == 0) {
      faults_.bell.sleep(BellScope::process, std::chrono::nanoseconds::max(), [&] {
        return faults_.held.load(std::memory_order_acquire) == 0 && !stop.stop_requested();
      });
      continue;
    }
    Doorbell nobody_rings;  // a nap: only time ends it
    nobody_rings.sleep(BellScope::process, kPumpAfter, [&] { return !stop.stop_requested(); });
    const uint64_t polls = faults_.polls.load(std::memory_order_relaxed);  // a hint
    if (polls == std::exchange(seen, polls)) {
      std::lock_guard lock(mutex_);
      for (FaultyContext* context : contexts_) {
        context->move_on();
      }
    }
  }
}

}  // namespace canopy::transport
