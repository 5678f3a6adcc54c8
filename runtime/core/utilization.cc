#include "runtime/core/utilization.h"

#include "runtime/device/trace_buffer.h"

#include <algorithm>
#include <utility>

namespace canopy {
namespace {

// Calls visit(track, whether the core is taken) for every core of the kind.
template <class Visit>
void for_each_core(DeviceCores& cores, CoreKind kind, Visit&& visit) {
  const CorePool& pool = cores.pool(kind);
  for (uint32_t core = 0; core < pool.cores(); ++core) {
    visit(cores.track(kind, static_cast<int32_t>(core)), pool.taken(core));
  }
}

uint64_t busy_ticks(DeviceCores& cores, CoreKind kind, uint64_t now) {
  uint64_t sum = 0;
  for_each_core(cores, kind,
                [&](uint32_t track, bool taken) { sum += cores.clocks().busy(track, taken, now); });
  return sum;
}

uint32_t busy_now(DeviceCores& cores, CoreKind kind) {
  uint32_t taken_cores = 0;
  for_each_core(cores, kind, [&](uint32_t track, bool taken) {
    if (taken) {
      ++taken_cores;
      cores.clocks().begin_older(track);
    }
  });
  const uint32_t all = cores.pool(kind).cores();
  return all == 0 ? 0 : taken_cores * 100 / all;
}

uint32_t percent(uint64_t before, uint64_t after, uint64_t span, uint32_t cores) {
  if (span == 0 || cores == 0 || after <= before) {
    return 0;
  }
  return static_cast<uint32_t>(std::min(
      100.0,
      static_cast<double>(after - before) * 100.0 / (static_cast<double>(span) * cores) + 0.5));
}

}  // namespace

Utilization::Shares Utilization::of(Device& device) {
  std::lock_guard lock(mutex_);
  DeviceCores& cores = device.cores();
  auto& last = last_[static_cast<size_t>(device.id())];
  if (!last) {
    TraceBuffer::watch_cores();
    const Shares now{busy_now(cores, CoreKind::cube), busy_now(cores, CoreKind::vector), 0};
    last = reading_of(cores);
    return now;
  }
  const Reading before = std::exchange(*last, reading_of(cores));
  const uint64_t span = last->at - before.at;
  return {percent(before.cube, last->cube, span, cores.cube_cores()),
          percent(before.vector, last->vector, span, cores.vector_cores()),
          percent(before.aicpu, last->aicpu, span, cores.aicpu().cores())};
}

Utilization::Reading Utilization::reading_of(DeviceCores& cores) {
  const uint64_t now = ticks();
  return {now, busy_ticks(cores, CoreKind::cube, now), busy_ticks(cores, CoreKind::vector, now),
          cores.aicpu().busy_ticks()};
}

}  // namespace canopy
