#include "runtime/base/clock.h"

#include <atomic>

namespace canopy {
namespace {

struct Anchor {
  uint64_t tick;
  uint64_t ns;
};

Anchor sample() {
  // The tightest of a few pairs: a preemption between the two reads would skew the anchor.
  Anchor best{};
  uint64_t best_width = ~0ull;
  for (int i = 0; i < 5; ++i) {
    const uint64_t before = ticks();
    const uint64_t ns = monotonic_ns();
    const uint64_t after = ticks();
    if (after - before < best_width) {
      best_width = after - before;
      best = Anchor{before + (after - before) / 2, ns};
    }
  }
  return best;
}

struct Scale {
  Anchor origin;
  std::atomic<double> ns_per_tick;
  std::atomic<uint64_t> refined_at_ns;

  Scale() : origin(sample()), ns_per_tick(0), refined_at_ns(0) {
    // 200 us are enough for 4 digits; refine() improves it as the process ages.
    while (monotonic_ns() - origin.ns < 200'000) {
    }
    refine();
  }

  void refine() {
    const Anchor now = sample();
    const double rate = static_cast<double>(now.ns - origin.ns) / static_cast<double>(now.tick - origin.tick);
    // Relaxed: each value is right by itself, readers may use an older one.
    ns_per_tick.store(rate, std::memory_order_relaxed);
    refined_at_ns.store(now.ns, std::memory_order_relaxed);
  }
};

Scale& scale() {
  static Scale instance;
  return instance;
}

}  // namespace

uint64_t Clock::now_ns() const { return monotonic_ns(); }

const Clock& Clock::system() {
  static const Clock instance;
  return instance;
}

uint64_t TickScale::to_ns(uint64_t tick) {
  Scale& s = scale();
  // Relaxed: see refine().
  double rate = s.ns_per_tick.load(std::memory_order_relaxed);
  const double delta = static_cast<double>(static_cast<int64_t>(tick - s.origin.tick));
  const uint64_t ns = s.origin.ns + static_cast<int64_t>(delta * rate);
  const uint64_t refined = s.refined_at_ns.load(std::memory_order_relaxed);
  if (ns > refined && ns - refined > (refined - s.origin.ns) + 1'000'000) {
    s.refine();
    rate = s.ns_per_tick.load(std::memory_order_relaxed);
    return s.origin.ns + static_cast<int64_t>(delta * rate);
  }
  return ns;
}

double TickScale::ticks_per_ns() {
  // Relaxed: see refine().
  return 1.0 / scale().ns_per_tick.load(std::memory_order_relaxed);
}

}  // namespace canopy
