// One suite for every transport: what transport/base/transport.h promises. A test program links
// contract_suite.cc and instantiates TransportContract with factories of its own.
#pragma once

#include "runtime/base/check.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "transport/base/blocking.h"
#include "transport/base/transport.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

namespace canopy::transport {

inline constexpr RegionId kRegion = 3;
inline constexpr int kPeer = 5;
inline constexpr size_t kBytes = 20u << 20;

// Two ends: `near` issues, `far_memory` is the target's own view of its region.
struct Pair {
  std::vector<Mapping> mappings;
  std::span<std::byte> far_memory;
  std::unique_ptr<Transport> far;  // where the target has a transport of its own
  std::unique_ptr<Transport> near;
  std::function<void()> afterwards;  // called when both ends are gone
};

struct Case {
  const char* name;
  std::unique_ptr<Pair> (*make)();
};

inline void PrintTo(const Case& it, std::ostream* out) { *out << it.name; }

class TransportContract : public testing::TestWithParam<Case> {
 protected:
  TransportContract() : pair_(GetParam().make()) {}
  ~TransportContract() override {
    pair_->near.reset();
    pair_->far.reset();
    if (pair_->afterwards) {
      pair_->afterwards();
    }
  }
  Pair& pair() { return *pair_; }
  Transport& near() { return *pair_->near; }
  std::span<std::byte> far() { return pair_->far_memory; }
  uint64_t* far_word(uint64_t offset) { return reinterpret_cast<uint64_t*>(far().data() + offset); }
  static Target at(uint64_t offset) { return {kPeer, kRegion, offset}; }

  // The blocking forms, with a wait that ends the test instead of hanging.
  static constexpr auto wait = [](FunctionRef<bool()> ready) {
    const auto end =
        wait_until(ready, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(60)),
                   [] { return std::string("a contract test waits"); });
    CHECK(end == WaitEnd::ready, "an operation must complete within 60 s");
  };
  Result<> put(const Target& to, const void* src, size_t nbytes) {
    return transport::put(near(), to, src, nbytes, wait);
  }
  Result<> get(void* dst, const Target& from, size_t nbytes) {
    return transport::get(near(), dst, from, nbytes, wait);
  }
  Result<uint64_t> amo(const Target& at, const Amo& operation) {
    return transport::amo(near(), at, operation, wait);
  }
  Result<> signal(const Target& at, const Signal& update) {
    return transport::signal(near(), at, update, wait);
  }
  Result<> quiet() { return transport::quiet(near(), kAllPeers, wait); }
  // Regions that come and go. Memory of the owner's, offered, and what a peer is told of it.
  struct Offer {
    Mapping memory;
    Mapping seen;  // the same memory, for transports to which it must be mapped
    PeerRegion region;
    uint64_t* word(uint64_t offset) { return reinterpret_cast<uint64_t*>(memory.base() + offset); }
  };
  Transport& owner() { return pair_->far != nullptr ? *pair_->far : *pair_->near; }
  Offer offer(RegionId id, size_t nbytes) {
    Offer made;
    const UniqueFd fd = sealed_memfd("offer", nbytes).value();
    made.memory = Mapping::shared(fd, nbytes).value();
    made.seen = Mapping::shared(fd, nbytes).value();
    made.region = {.id = id, .bytes = nbytes, .mapped_at = made.seen.base(), .key = {}};
    auto key = owner().offer_region(id, {made.memory.base(), nbytes});
    CHECK(key, error_text::newest().c_str());
    made.region.key = std::move(*key);
    return made;
  }
  Result<> open(const Offer& offer) {
    return transport::open_region(near(), kPeer, offer.region, wait);
  }
  Result<> close(const Offer& offer) {
    return transport::close_region(near(), kPeer, offer.region.id, wait);
  }
  // The network of a pair behind doors is opened by the first operation.
  void meet() {
    const uint64_t value = 0;
    ASSERT_TRUE(put(at(0), &value, sizeof value)) << error_text::newest();
    ASSERT_TRUE(quiet()) << error_text::newest();
  }

  template <class Post>
  Result<> patiently(Post&& post) {
    return post_patiently(near(), wait, post);
  }
  // Posts without a ticket: complete at the next quiet.
  Result<> post_put(const Target& to, const void* src, size_t nbytes) {
    return patiently([&] { return near().post_put(to, src, nbytes, nullptr); });
  }
  Result<> post_get(void* dst, const Target& from, size_t nbytes) {
    return post_patiently(near(), wait,
                          [&] { return near().post_get(dst, from, nbytes, nullptr); });
  }

 private:
  std::unique_ptr<Pair> pair_;
};

}  // namespace canopy::transport
