// A double of a network for tests of what stands in front of several: what is posted stays under
// way, in order, until the test lets it arrive, and reads and writes memory only then.
#pragma once

#include "transport/base/transport.h"

#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

namespace canopy::transport {

class HeldTransport final : public Transport {
 public:
  explicit HeldTransport(std::span<std::byte> far) : far_(far) {}

  // ---- the test's
  void hold(bool held) {
    std::lock_guard lock(mutex_);
    held_ = held;
    if (!held) {
      arrive_locked(queue_.size());
    }
  }
  void arrive(size_t count) {
    std::lock_guard lock(mutex_);
    arrive_locked(count);
  }
  // The connection breaks: what is under way ends with an error, and so does what comes.
  void break_down(int peer) {
    std::lock_guard lock(mutex_);
    broken_ = true;
    for (Item& item : std::exchange(queue_, {})) {
      settle(item.ticket, Errc::peer_lost);
    }
    if (error_) {
      error_(peer, Errc::peer_lost, "the cable was cut");
    }
  }
  size_t under_way() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }
  size_t bytes() const {  // of puts and gets that were posted
    std::lock_guard lock(mutex_);
    return bytes_;
  }
  int signals() const {
    std::lock_guard lock(mutex_);
    return signals_;
  }

  // ---- Transport
  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::string> register_region(RegionId, std::span<std::byte>) override { return std::string(); }
  Result<> connect(int, std::string_view, std::span<const PeerRegion>) override { return {}; }
  Result<std::string> offer_region(RegionId, std::span<std::byte>) override { return std::string(); }
  Result<> withdraw_region(RegionId) override { return {}; }
  Result<> open_region(int, const PeerRegion&) override { return {}; }
  Result<> close_region(int, RegionId, Ticket* done) override {
    settle(done, Errc::ok);
    return {};
  }
  std::optional<std::byte*> direct(int, RegionId) const override { return std::nullopt; }
  Result<std::unique_ptr<Context>> open_context() override {
    return fail(Errc::not_supported, "one context");
  }
  void on_error(std::function<void(int, Errc, std::string_view)> call) override {
    error_ = std::move(call);
  }
  void disconnect(int peer, std::string_view) override { break_down(peer); }

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override {
    return post({Kind::put, to.offset, const_cast<void*>(src), nbytes, 0, done});
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override {
    return post({Kind::get, from.offset, dst, nbytes, 0, done});
  }
  Result<> post_amo(const Target&, const Amo&, uint64_t*, Ticket* done) override {
    return post({Kind::nothing, 0, nullptr, 0, 0, done});
  }
  Result<> signal(const Target& at, const Signal& update) override {
    std::lock_guard lock(mutex_);
    ++signals_;
    return post_locked({Kind::word, at.offset, nullptr, 0, update.value, nullptr});
  }
  void fence() override {}
  Result<> post_quiet(int, Ticket* done) override {
    return post({Kind::nothing, 0, nullptr, 0, 0, done});
  }
  int progress() override { return 0; }

 private:
  enum class Kind { put, get, word, nothing };
  struct Item {
    Kind kind;
    uint64_t offset;
    void* local;
    size_t nbytes;
    uint64_t value;
    Ticket* ticket;
  };
  Result<> post(Item item) {
    std::lock_guard lock(mutex_);
    return post_locked(item);
  }
  Result<> post_locked(Item item) {
    if (broken_) {
      return fail(Errc::peer_lost, "the cable is cut");
    }
    bytes_ += item.nbytes;
    queue_.push_back(item);
    if (!held_) {
      arrive_locked(queue_.size());
    }
    return {};
  }
  void arrive_locked(size_t count) {
    for (; count > 0 && !queue_.empty(); --count) {
      const Item item = queue_.front();
      queue_.pop_front();
      std::byte* at = far_.data() + item.offset;
      if (item.kind == Kind::put) {
        std::memcpy(at, item.local, item.nbytes);
      } else if (item.kind == Kind::get) {
        std::memcpy(item.local, at, item.nbytes);
      } else if (item.kind == Kind::word) {
        std::memcpy(at, &item.value, sizeof item.value);
      }
      settle(item.ticket, Errc::ok);
    }
  }

  const Capabilities capabilities_{.name = "held"};
  const std::span<std::byte> far_;
  std::function<void(int, Errc, std::string_view)> error_;
  mutable std::mutex mutex_;
  std::deque<Item> queue_;
  bool held_ = false;
  bool broken_ = false;
  size_t bytes_ = 0;
  int signals_ = 0;
};

}  // namespace canopy::transport
