// Our side of the network benchmarks: transport/far, which opens the plugin.
#include "runtime/base/waiter.h"
#include "tests/bench/ofi/side.h"
#include "transport/base/blocking.h"
#include "transport/base/network_pacer.h"
#include "transport/far/far_transport.h"

namespace canopy::bench {
namespace {

using namespace transport;

constexpr RegionId kRegion = 0;
constexpr int kPeer = 0;

class OurSide final : public NetworkSide {
 public:
  OurSide(std::byte* memory, size_t bytes) : memory_(memory), bytes_(bytes) {
    far_ = take(far::FarTransport::open({}));
    far_->on_arrival([this] { bell_.ring(BellScope::host); });
    take(far_->register_region(kRegion, {memory, bytes}));
  }

  std::string_view name() const override { return "Canopy"; }
  std::string address() override { return take(far_->address()); }
  void connect(const std::string& other) override {
    const PeerRegion region{.id = kRegion, .bytes = bytes_, .mapped_at = nullptr, .key = {}};
    must(far_->connect(kPeer, other, {&region, 1}));
  }
  void put(uint64_t to, const void* src, size_t nbytes) override {
    must(transport::put(*far_, at(to), src, nbytes, wait_));
  }
  void post_put(uint64_t to, const void* src, size_t nbytes) override {
    must(
        post_patiently(*far_, wait_, [&] { return far_->post_put(at(to), src, nbytes, nullptr); }));
  }
  void quiet() override { must(transport::quiet(*far_, kPeer, wait_)); }
  void get(void* dst, uint64_t from, size_t nbytes) override {
    must(transport::get(*far_, dst, at(from), nbytes, wait_));
  }
  uint64_t fetch_add(uint64_t word) override {
    return take(transport::amo(*far_, at(word), {AmoOp::add, 8, 1, 0}, wait_));
  }
  void serve_until(uint64_t offset, uint64_t value) override {
    const auto* word = reinterpret_cast<uint64_t*>(memory_ + offset);
    wait_for(NetworkPacer::Awaits::peers, [&](bool& moved) {
      moved = far_->progress() > 0;
      return load_acquire(word) == value;
    });
  }

 private:
  static Target at(uint64_t offset) { return {kPeer, kRegion, offset}; }
  static void must(const Result<>& result) {
    if (!result) {
      give_up(error_text::newest());
    }
  }
  template <class T>
  static T take(Result<T> result) {
    if (!result) {
      give_up(error_text::newest());
    }
    return std::move(*result);
  }
  // As shmem waits (shmem/sync/wait.cc).
  template <class Look>
  void wait_for(NetworkPacer::Awaits awaits, Look&& look) {
    NetworkPacer pacer(awaits);
    for (bool moved = false; !look(moved);) {
      if (pacer.step(moved, [&] { return far_->hears(); })) {
        bell_.sleep(BellScope::host, pacer.next_nap(), [&] {
          if (look(moved)) {
            return false;
          }
          far_->rest();
          return true;
        });
      }
    }
  }

  struct Waiter {
    OurSide& side;
    void operator()(FunctionRef<bool()> ready) const {
      side.wait_for(NetworkPacer::Awaits::own_posts, [&](bool&) { return ready(); });
    }
  };

  std::byte* memory_;
  size_t bytes_;
  Doorbell bell_;
  Waiter wait_{*this};
  std::unique_ptr<far::FarTransport> far_;
};

}  // namespace

std::unique_ptr<NetworkSide> make_side(std::byte* memory, size_t bytes) {
  return std::make_unique<OurSide>(memory, bytes);
}

}  // namespace canopy::bench
