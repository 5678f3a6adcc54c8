#include "shmem/sync/wait.h"

#include "runtime/base/log.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"
#include "transport/base/network_pacer.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace canopy::shmem {
namespace {

constexpr uint64_t kReportNs = 60'000'000'000;

[[noreturn]] void give_up(World& world, uint64_t start, FunctionRef<std::string()> describe) {
  world.fail_job(kTimeoutStatus, fmt::format("gave up after {} ms (CANOPY_TIMEOUT): {}",
                                             (monotonic_ns() - start) / 1'000'000, describe()));
}

using Awaits = transport::NetworkPacer::Awaits;

enum class Look : uint8_t { nothing, moved, over };

// The waiting policy by hand, because there is work between two looks (look() makes progress), and
// because whoever serves peers meanwhile has to be told before this thread sleeps. While traffic
// comes (`moved`) this thread goes on serving it: otherwise each arrival would wake it for nothing.
void wait_with_progress(World& world, Doorbell& bell, FunctionRef<Look()> look, Awaits awaits,
                        WakenBy waker, FunctionRef<std::string()> describe) {
  const uint64_t start = monotonic_ns();
  const Deadline deadline = Deadline::user_default();
  uint64_t report_at = start + kReportNs;
  FarPaths* far = world.far();
  const auto hears = [far] { return far->hears(); };
  transport::NetworkPacer pacer(awaits);
  Doorbell nobody_rings;  // only time ends a sleep on it
  bool rung_for_nothing = false;
  for (Look seen; (seen = look()) != Look::over;) {
    if (!pacer.step(seen == Look::moved, hears)) {
      continue;
    }
    const uint64_t now = monotonic_ns();
    if (deadline.passed(now)) {
      give_up(world, start, describe);
    }
    if (now >= report_at) {
      report(
          fmt::format("still waiting after {} s: {}", (now - start) / 1'000'000'000, describe()));
      report_at = now + kReportNs;
    }
    auto limit = std::min(deadline.left(now), std::chrono::nanoseconds(report_at - now));
    // Transports that cannot tell whether a poll of theirs has let something in ring after each.
    // Who was woken for nothing naps once, so that the two do not keep each other awake.
    const bool nap = std::exchange(rung_for_nothing, !rung_for_nothing);
    if (nap || waker == WakenBy::anyone) {
      limit = std::min(limit, pacer.next_nap(now - start));
    }
    if (nap) {
      limit = std::min(limit, WaitPacer::kLongestDeafNap);
    }
    (nap ? nobody_rings : bell).sleep(BellScope::host, limit, [&] {
      if (look() != Look::nothing) {
        return false;
      }
      far->rest();  // after the last look: it counts as somebody's polling
      return true;
    });
  }
}

}  // namespace

void make_progress(World& world) {
  if (FarPaths* far = world.far()) {
    far->progress();
  }
}

bool is_elsewhere(const ControlPage& page) {
  return load_relaxed(&page.cpu) != static_cast<uint32_t>(::sched_getcpu());
}

void wait_on_host(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                  FunctionRef<std::string()> describe, FunctionRef<bool()> elsewhere) {
  if (FarPaths* far = world.far()) {
    const auto look = [&] {
      if (ready()) {
        return Look::over;
      }
      const bool moved = far->progress() > 0;
      return ready() ? Look::over : moved ? Look::moved : Look::nothing;
    };
    wait_with_progress(world, bell, look, Awaits::peers, waker, describe);
    return;
  }
  const Deadline deadline = Deadline::user_default();
  const uint64_t start = deadline.is_never() ? 0 : monotonic_ns();  // for give_up() alone
  WaitEnd end{};
  if (SpinBudget::crowded()) {
    uint32_t& cpu = world.control(world.my_pe()).cpu;
    // Written only when it changes: others look at it while they wait. Relaxed: a hint.
    if (const auto now = static_cast<uint32_t>(::sched_getcpu()); load_relaxed(&cpu) != now) {
      store_relaxed(&cpu, now);
    }
    end = wait_crowded(ready, elsewhere, &bell, BellScope::host, deadline, describe, waker);
  } else {
    end = canopy::wait_until(ready, &bell, BellScope::host, deadline, describe, waker);
  }
  if (end == WaitEnd::deadline) {
    give_up(world, start, describe);
  }
}

void wait_posted(World& world, FunctionRef<bool()> ready, int pe, const char* routine) {
  const auto look = [&] { return ready() ? Look::over : Look::nothing; };
  wait_with_progress(world, world.bell(), look, Awaits::own_posts, WakenBy::anyone, [&] {
    const std::string whom = pe < 0 ? "what it has posted" : fmt::format("PE {}", pe);
    return fmt::format("pe {} waits for {} ({})", world.my_pe(), whom, routine);
  });
}

}  // namespace canopy::shmem
