// DeviceCores: a device's cores, its open launches, and its event cells: what the scheduler needs
// to know of one device of this process.
//
// A launch is open while blocks of it have not started. Executors claim a block together with a
// core for it; when all cores of the kind are busy nothing can be claimed until a block ends.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/device/aicpu_engine.h"
#include "runtime/device/core_clocks.h"
#include "runtime/device/core_pool.h"
#include "runtime/device/engine_stats.h"
#include "runtime/device/event_bank.h"
#include "runtime/device/launch.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace canopy {

struct BlockClaim {
  Launch* launch = nullptr;
  uint32_t index = 0;
  int32_t core = -1;
};

class DeviceCores {
 public:
  DeviceCores(int device, uint32_t cube_cores, uint32_t vector_cores, uint32_t ub_bytes,
              uint32_t aicpu_cores = 1)
      : device_(device),
        ub_bytes_(ub_bytes),
        place_(cube_cores, vector_cores, aicpu_cores, executors_here()),
        cube_(place_.entry().cube, place_.entry().cube_groups()),
        vector_(place_.entry().vector, place_.entry().vector_groups()),
        aicpu_(device, aicpu_cores, place_.entry().aicpu),
        clocks_(place_.entry().clocks()),
        events_(EventBank::open(kEventLimit)) {}

  int device() const { return device_; }
  // What other processes know the device as, if they look at what it does (engine_stats.h).
  void show_as(int host_device) { place_.show_as(host_device); }
  // Of copies that streams make, while cores are watched.
  BusyClock& dma_clock() { return place_.entry().dma; }
  uint32_t ub_bytes() const { return ub_bytes_; }
  EventBank& events() { return *events_; }
  AiCpuEngine& aicpu() { return aicpu_; }
  // Not 0 after an overflow. Relaxed: who asks comes later in stream order, or does not care.
  struct alignas(kCacheLine) OverflowWord {
    std::atomic<uint32_t> status{0};
    uint32_t rest[15] = {};  // kernels may take it for the 64 bytes of a status
  };
  OverflowWord& overflow() { return overflow_; }
  void raise_overflow() { overflow_.status.store(1, std::memory_order_relaxed); }
  // By track().
  CoreClocks& clocks() { return clocks_; }
  // Mixed kernels are bound by their cube core.
  CorePool& pool(CoreKind kind) { return kind == CoreKind::vector ? vector_ : cube_; }
  // Tracks of the timeline: vector cores first, then cube cores, then DMA.
  uint32_t track(CoreKind kind, int32_t core) const {
    return static_cast<uint32_t>(core) + (kind == CoreKind::vector ? 0 : vector_.cores());
  }
  uint32_t dma_track() const { return vector_.cores() + cube_.cores(); }
  uint32_t vector_cores() const { return vector_.cores(); }
  uint32_t cube_cores() const { return cube_.cores(); }

  void open(Launch* launch);
  // True while blocks wait to be started (a hint).
  bool has_open() const { return open_count_.load(std::memory_order_relaxed) != 0; }
  // False when nothing is open, or no core is free, or all that is open is of lower priority than
  // `at_least` (a larger number). `last` says that the claim closed the launch. `hand` is that of the
  // executor that will run the block.
  bool claim(BlockClaim* out, uint8_t at_least, CoreHand& hand, bool* last);
  // Whether a block of it has been claimed.
  bool has_started(const Launch& launch);
  // Whether claim() could succeed now.
  bool claimable();

 private:
  bool may_start(const Launch& launch);
  int take_core(Launch& launch, CoreHand& hand);
  void hold_cores(Launch& launch, CoreHand& hand);
  bool claimable(const Launch& launch);
  static uint32_t executors_here() { return static_cast<uint32_t>(usable_cores()); }
  static constexpr uint32_t kEventLimit = 65536;
  const int device_;
  const uint32_t ub_bytes_;
  EnginePlace place_;  // before what lies there
  CorePool cube_;
  CorePool vector_;
  AiCpuEngine aicpu_;
  OverflowWord overflow_;
  CoreClocks clocks_;
  const std::unique_ptr<EventBank, RetireEventBank> events_;
  std::atomic<uint32_t> open_count_{0};
  SpinLock lock_;            // guards the list and the launches on it
  Launch* first_ = nullptr;  // by priority, then by age
};

}  // namespace canopy
