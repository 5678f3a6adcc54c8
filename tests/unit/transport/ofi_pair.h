// Two OfiTransports of this process on the double of libfabric, with one region, for tests that
// look closer than the contract.
#pragma once

#include "runtime/base/check.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "tests/unit/transport/fake_fabric/fake_fabric.h"
#include "transport/base/blocking.h"
#include "transport/ofi/ofi_transport.h"

#include <chrono>
#include <memory>
#include <string>

namespace canopy::transport::ofi {

class OfiPair {
 public:
  static constexpr RegionId kRegion = 0;
  static constexpr int kPeer = 1;
  static constexpr size_t kBytes = 1u << 20;

  explicit OfiPair(const fake_fabric::Behaviour& behaviour = {}) {
    fake_fabric::reset(behaviour);
    memory_ = Mapping::anonymous(kBytes).value();
    far_ = OfiTransport::open({}).value();
    near_ = OfiTransport::open({}).value();
    near_->on_error([this](int peer, Errc code, std::string_view sentence) {
      ++errors;
      last_error = fmt::format("{} {} {}", peer, to_string(code), sentence);
    });
    key_ = far_->register_region(kRegion, {memory_.base(), kBytes}).value();
    connect(kPeer);
  }

  // A further number for the same target.
  void connect(int peer) {
    const PeerRegion region{.id = kRegion, .bytes = kBytes, .mapped_at = nullptr, .key = key_};
    const bool connected = near_->connect(peer, far_->address().value(), {&region, 1}).has_value();
    CHECK(connected, "the double of libfabric must connect");
  }
  OfiTransport& near() { return *near_; }
  uint64_t* word(uint64_t offset) { return reinterpret_cast<uint64_t*>(memory_.base() + offset); }
  static Target at(uint64_t offset, int peer = kPeer) { return {peer, kRegion, offset}; }

  static constexpr auto wait = [](FunctionRef<bool()> ready) {
    const auto end =
        wait_until(ready, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(30)),
                   [] { return std::string("a test of transport/ofi waits"); });
    CHECK(end == WaitEnd::ready, "an operation must complete or fail within 30 s");
  };
  Result<> put(uint64_t offset, uint64_t value, int peer = kPeer) {
    return transport::put(*near_, at(offset, peer), &value, sizeof value, wait);
  }
  Result<> quiet(int peer = kAllPeers) { return transport::quiet(*near_, peer, wait); }

  int errors = 0;
  std::string last_error;

 private:
  Mapping memory_;
  std::unique_ptr<OfiTransport> far_;
  std::unique_ptr<OfiTransport> near_;
  std::string key_;
};

}  // namespace canopy::transport::ofi
