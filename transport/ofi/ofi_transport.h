// OfiTransport: the path to peers over libfabric, on one provider and one interface. Everything
// about it is in the parts: provider (which one), domain (memory), context (operations),
// server_endpoint (what peers ask of us), progress_thread (who serves while nobody polls).
//
// Eager: opening it opens the provider, which takes 0.1 to 0.3 s. What opens it when it is needed,
// and learns the addresses of peers, is transport/far.
#pragma once

#include "transport/base/transport.h"
#include "transport/ofi/context.h"
#include "transport/ofi/domain.h"
#include "transport/ofi/progress_thread.h"
#include "transport/ofi/registry.h"
#include "transport/ofi/server_endpoint.h"

#include <memory>
#include <mutex>
#include <vector>

namespace canopy::transport::ofi {

class OfiTransport final : public Transport, private ProgressThread::Served {
 public:
  static Result<std::unique_ptr<OfiTransport>> open(const ProviderWish& wish);
  ~OfiTransport() override;

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> address() const override { return address_; }
  Result<std::string> register_region(RegionId id, std::span<std::byte> memory) override;
  Result<> connect(int peer, std::string_view address,
                   std::span<const PeerRegion> regions) override;
  Result<std::string> offer_region(RegionId id, std::span<std::byte> memory) override;
  Result<> withdraw_region(RegionId id) override;
  Result<> open_region(int peer, const PeerRegion& region) override;
  Result<> close_region(int peer, RegionId id, Ticket* done) override;
  void disconnect(int peer, std::string_view why) override;
  void halt() override;
  std::optional<std::byte*> direct(int, RegionId) const override { return std::nullopt; }
  Result<std::unique_ptr<Context>> open_context() override;
  void on_arrival(std::function<void()> call) override;
  void on_error(std::function<void(int, Errc, std::string_view)> call) override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return main_->post_put(to, src, nbytes, done);
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return main_->post_get(dst, from, nbytes, done);
  }
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override {
    return main_->post_amo(at, operation, old, done);
  }
  Result<> signal(const Target& at, const Signal& update) override {
    return main_->signal(at, update);
  }
  void fence() override { main_->fence(); }
  Result<> post_quiet(int peer, Ticket* done) override { return main_->post_quiet(peer, done); }
  int progress() override;
  void rest() override { thread_->rest(); }
  bool hears() override;
  std::string trouble(int peer) const override { return registry_.trouble(peer); }

  std::string_view provider() const { return domain_->provider().name(); }

 private:
  explicit OfiTransport(std::unique_ptr<Domain> domain);
  Result<> start();
  Result<> make_address();
  Result<std::string> add_region(RegionId id, std::span<std::byte> memory, bool stays);
  int serve() override;
  // Looks at the server only.
  int serve_in(uint64_t turn);
  uint64_t polls() override { return load_relaxed(&served_turns_); }
  uint64_t since_poll_ns() override;
  bool active() override;
  int wait_fd() override { return server_->endpoint().wait_fd(); }
  bool may_sleep() override;
  void forget(OfiContext& context);
  // Runs `change` while no context works.
  template <class Change>
  auto alone(Change&& change);

  const Capabilities capabilities_{.name = "ofi", .direct = false, .amo_with_cpu = true};
  const ContextId id_;
  const std::unique_ptr<Domain> domain_;
  Registry registry_;
  std::string address_;
  alignas(kCacheLine) std::byte flushed_[8] = {};  // what the puts of flushes go to
  std::unique_ptr<ServerEndpoint> server_;
  std::unique_ptr<OfiContext> main_;
  Registration flush_memory_;
  // While operations of ours are under way; a good part of what the progress thread allows who polls.
  const uint64_t longest_without_server_;
  uint64_t turn_ = 0;  // of progress(); lost increments do no harm
  uint64_t served_turns_ = 0;   // in which it looked at the server
  uint64_t served_at_ = 0;      // ticks(), when it did so last
  uint64_t heard_in_turn_ = 0;  // the last in which the server had something to do
  std::mutex mutex_;  // guards contexts_, and keeps them alive while the thread serves them
  std::vector<OfiContext*> contexts_;
  uint64_t seen_polls_ = 0;                 // of contexts; the thread's
  std::unique_ptr<ProgressThread> thread_;  // last: it uses everything above
};

}  // namespace canopy::transport::ofi
