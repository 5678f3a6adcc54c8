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

// One piece of the conversion: a line through (tick, ns). Immutable once published.
struct Line {
  uint64_t tick;
  uint64_t ns;
  double ns_per_tick;
  uint64_t refine_at_ns;
  const Line* before;  // lines are never freed: what came before this one's start stays on them

  uint64_t at(uint64_t t) const {
    return ns + static_cast<int64_t>(static_cast<double>(static_cast<int64_t>(t - tick)) * ns_per_tick);
  }
};

// The first line is calibrated over 200 us; as the process ages, ever longer spans replace it. A new
// line starts where the old one stands and only its slope differs, so that converted time never jumps;
// the slope also takes the error seen so far back by the next refinement.
struct Scale {
  const Anchor origin;
  std::atomic<const Line*> line;

  Scale() : origin(sample()) {
    while (monotonic_ns() - origin.ns < 200'000) {
    }
    const Anchor now = sample();
    line.store(new Line{origin.tick, origin.ns, rate(now), now.ns + 1'000'000, nullptr}, std::memory_order_release);
  }

  double rate(const Anchor& now) const {
    return static_cast<double>(now.ns - origin.ns) / static_cast<double>(now.tick - origin.tick);
  }

  void refine(const Line* old) {
    const Anchor now = sample();
    const auto age = static_cast<double>(now.ns - origin.ns);
    const uint64_t stands_at = old->at(now.tick);
    const double error = static_cast<double>(static_cast<int64_t>(now.ns - stands_at));
    const double slope = rate(now) * (1.0 + error / age);
    // The spans double, so there are never more than a few dozen lines.
    auto* fresh = new Line{now.tick, stands_at, slope, now.ns + (now.ns - origin.ns), old};
    // Release: the line is whole before it can be read. Whoever comes second keeps the first's.
    if (!line.compare_exchange_strong(old, fresh, std::memory_order_release, std::memory_order_relaxed)) {
      delete fresh;
    }
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
  // Acquire: pairs with the release in refine().
  const Line* line = s.line.load(std::memory_order_acquire);
  // The same tick is always the same time, also after a refinement.
  while (tick < line->tick && line->before != nullptr) [[unlikely]] {
    line = line->before;
  }
  const uint64_t ns = line->at(tick);
  if (ns >= line->refine_at_ns) [[unlikely]] {
    s.refine(line);
  }
  return ns;
}

double TickScale::ticks_per_ns() { return 1.0 / scale().line.load(std::memory_order_acquire)->ns_per_tick; }

}  // namespace canopy
