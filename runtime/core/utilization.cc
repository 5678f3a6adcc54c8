#include "runtime/core/utilization.h"

#include "runtime/device/trace_buffer.h"

#include <algorithm>

namespace canopy {
namespace {

uint64_t busy_ticks(DeviceCores& cores, CoreKind kind, uint64_t since, uint64_t now) {
  CorePool& pool = cores.pool(kind);
  uint64_t sum = 0;
  for (uint32_t core = 0; core < pool.cores(); ++core) {
    sum += cores.clocks().busy(cores.track(kind, static_cast<int32_t>(core)), pool.taken(core), since, now);
  }
  return sum;
}

uint32_t busy_now(const CorePool& pool) {
  uint32_t taken = 0;
  for (uint32_t core = 0; core < pool.cores(); ++core) {
    taken += pool.taken(core) ? 1 : 0;
  }
  return pool.cores() == 0 ? 0 : taken * 100 / pool.cores();
}

uint32_t percent(uint64_t before, uint64_t after, uint64_t span, uint32_t cores) {
  if (span == 0 || cores == 0 || after <= before) {
    return 0;
  }
  return static_cast<uint32_t>(std::min(100.0, static_cast<double>(after - before) * 100.0 /
                                                   (static_cast<double>(span) * cores) + 0.5));
}

}  // namespace

Utilization::Shares Utilization::of(Device& device) {
  std::lock_guard lock(mutex_);
  DeviceCores& cores = device.cores();
  if (watched_since_ == 0) {
    watched_since_ = ticks();
    TraceBuffer::watch_cores();
    last_[static_cast<size_t>(device.id())] = Reading{watched_since_, 0, 0, cores.aicpu().busy_ticks()};
    return {busy_now(cores.pool(CoreKind::cube)), busy_now(cores.pool(CoreKind::vector)), 0};
  }
  const uint64_t now = ticks();
  const Reading reading{now, busy_ticks(cores, CoreKind::cube, watched_since_, now),
                        busy_ticks(cores, CoreKind::vector, watched_since_, now), cores.aicpu().busy_ticks()};
  auto& last = last_[static_cast<size_t>(device.id())];
  const Reading before = last.value_or(Reading{watched_since_, 0, 0, 0});
  last = reading;
  const uint64_t span = now - before.at;
  return {percent(before.cube, reading.cube, span, cores.cube_cores()),
          percent(before.vector, reading.vector, span, cores.vector_cores()),
          percent(before.aicpu, reading.aicpu, span, cores.aicpu().cores())};
}

}  // namespace canopy
