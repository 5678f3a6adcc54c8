// EngineStats: what the engines of this process's devices are doing, in a memory file that other processes
// of this user read without its help (/proc/PID/fd/N; driver/engine_view.h).
//
//   page 0       ObserverPage
//   4096         entry 0: 16 KiB   [ head | AI CPUs | copy engines | free cores: cube, vector | clocks of cores ]
//   20480        entry 1 ...                                                        64 entries in all
//
// Each DeviceCores has an entry. One with more lines than an entry has, or that comes when all are taken,
// or where memory files cannot be had, keeps its own in private memory: nobody else sees it then.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/device/busy_clock.h"
#include "runtime/device/observer_page.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace canopy {

// Up to 64 cores; a set bit is a free core.
struct alignas(kCacheLine) CoreGroup {
  std::atomic<uint64_t> bits{0};
};
// How long one core has been busy; see core_clocks.h.
struct alignas(kCacheLine) CoreClock {
  std::atomic<uint64_t> begun{0};  // ticks(); 0: no block that is counted
  std::atomic<uint64_t> busy{0};   // by blocks that have ended
};

// The cores of one kind, as their groups lie.
struct CoreGroups {
  uint32_t cores;
  uint32_t shift;  // of the cores per group
  uint32_t groups;
  // About `wanted` groups, more when they would have over 64 cores each.
  static CoreGroups of(uint32_t cores, uint32_t wanted);
};

struct alignas(kCacheLine) EngineEntry {
  static constexpr size_t kBytes = 16384;
  static constexpr size_t kLines = kBytes / kCacheLine - 3;

  std::atomic<uint32_t> in_use;
  std::atomic<int32_t> host_device;  // the host's number; -1: not told yet
  CoreGroups cube;
  CoreGroups vector;
  uint32_t aicpu_cores;
  BusyClock aicpu;
  BusyClock dma;

  size_t lines() const { return cube.groups + vector.groups + cube.cores + vector.cores; }
  CoreGroup* cube_groups() { return reinterpret_cast<CoreGroup*>(this + 1); }
  CoreGroup* vector_groups() { return cube_groups() + cube.groups; }
  // By DeviceCores::track(): vector cores first.
  CoreClock* clocks() { return reinterpret_cast<CoreClock*>(vector_groups() + vector.groups); }
};
static_assert(sizeof(EngineEntry) == 3 * kCacheLine);

class EngineStats {
 public:
  static constexpr uint32_t kEntries = 64;
  static constexpr size_t kFileBytes = sizeof(ObserverPage) + kEntries * EngineEntry::kBytes;

  // Of the process; made by the first call, never destroyed.
  static EngineStats& instance();
  // The file, as others find it; -1 and 0: there is none.
  int fd() const { return fd_; }
  uint64_t inode() const { return inode_; }

 private:
  friend class EnginePlace;
  EngineStats();
  EngineEntry* take();  // null: none is free

  int fd_ = -1;
  uint64_t inode_ = 0;
  std::byte* entries_ = nullptr;
};

// An entry, for as long as it lives; all zero but for the head.
class EnginePlace {
 public:
  EnginePlace(uint32_t cube_cores, uint32_t vector_cores, uint32_t aicpu_cores, uint32_t wanted_groups);
  ~EnginePlace();
  EnginePlace(const EnginePlace&) = delete;
  EnginePlace& operator=(const EnginePlace&) = delete;

  EngineEntry& entry() const { return *entry_; }
  void show_as(int host_device) { entry_->host_device.store(host_device, std::memory_order_release); }

 private:
  struct alignas(kCacheLine) Line {
    std::byte bytes[kCacheLine];
  };
  std::unique_ptr<Line[]> own_;  // null: the entry is in the file
  EngineEntry* entry_;
};

}  // namespace canopy
