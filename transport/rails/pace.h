// RailPace: how fast bytes reach a peer over a rail, from what has arrived lately. Not thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace canopy::transport::rails {

class RailPace {
 public:
  // Something is under way, and nothing was.
  void begins(uint64_t now_ns) {
    since_ns_ = now_ns;
    bytes_ = 0;
  }
  // So much has arrived; `more`: and there is more under way. Counted together over 10 ms, or until
  // nothing is left: what arrives between two looks seems to arrive at once.
  void arrived(size_t nbytes, uint64_t now_ns, bool more) {
    bytes_ += nbytes;
    const uint64_t span = now_ns > since_ns_ ? now_ns - since_ns_ : 1;
    if (more && span < kSpanNs) {
      return;
    }
    const double sample = static_cast<double>(span) / static_cast<double>(bytes_);
    // The first one connects, which takes long.
    if (last_ns_ != 0) {
      ns_per_byte_ = ns_per_byte_ == 0 ? sample : (ns_per_byte_ + sample) / 2;
    }
    last_ns_ = now_ns;
    begins(now_ns);
  }
  // By the last figures; 0: nobody knows.
  double ns_for(size_t nbytes) const { return static_cast<double>(nbytes) * ns_per_byte_; }
  // The same, where an old figure counts for less and less: so a rail that was slow is tried again.
  double hoped_ns_for(size_t nbytes, uint64_t now_ns) const {
    const auto age = static_cast<double>(now_ns > last_ns_ ? now_ns - last_ns_ : 0);
    return ns_for(nbytes) * std::exp2(-age / kHalfLifeNs);
  }

 private:
  static constexpr uint64_t kSpanNs = 10'000'000;
  static constexpr double kHalfLifeNs = 5e8;
  double ns_per_byte_ = 0;
  uint64_t last_ns_ = 0;   // of the last figure
  uint64_t since_ns_ = 0;  // what is being counted
  size_t bytes_ = 0;
};

}  // namespace canopy::transport::rails
