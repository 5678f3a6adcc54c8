// Launch: a kernel whose blocks are being run; Block: one of them.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/device/abi/kernel_image.h"
#include "runtime/device/abi/launch_options.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace canopy {

class Strand;
class Fiber;

// A stream runs one kernel at a time, so each strand holds one Launch and uses it again.
struct Launch {
  Strand* strand = nullptr;
  const KernelImage* image = nullptr;
  void (*entry)(const void*) = nullptr;
  const void* args = nullptr;
  CoreKind kind = CoreKind::vector;
  // A block has failed, or the time is over, and with it the task: blocks that have not started do not start, the
  // others are ended. First line, because every block reads it.
  std::atomic<bool> failed{false};
  bool limited = false;  // the strand's limit is armed for it
  bool ending = false;   // one of Scheduler::ending_; written by who fails it, read when all blocks have ended
  uint32_t blocks = 0;
  const LaunchOptions* options = nullptr;  // null: none
  // Guarded by the board's lock while the launch is open.
  uint32_t next_block = 0;
  uint32_t end_block = 0;
  // Cores for blocks that are to start together and have not yet.
  std::vector<int32_t> held_cores;
  Launch* next_open = nullptr;

  // Blocks that have ended. acq_rel by each block: the last one sees the effects of all.
  alignas(kCacheLine) std::atomic<uint32_t> ended{0};
  // SyncAll: fibers push themselves on `waiting`, then count `arrived`; the last to arrive takes the
  // whole list and makes all ready.
  alignas(kCacheLine) std::atomic<uint32_t> arrived{0};
  std::atomic<Fiber*> waiting{nullptr};
  // How often all have arrived; a block that wakes with the number it came with was woken for another reason.
  std::atomic<uint32_t> rounds{0};
  // Flags between blocks (canopy_flag_set, canopy_flag_wait).
  static constexpr uint32_t kFlags = 16;
  std::atomic<uint32_t> flags[kFlags] = {};
  std::atomic<bool> flags_used{false};
};

struct Block {
  Launch* launch = nullptr;
  uint32_t index = 0;
  int32_t core = -1;
  void* unified_buffer = nullptr;
  uintptr_t entry_stack = 0;  // below it lies only what the kernel put on the stack
  // Open spans of the timeline (canopy_span_begin), innermost last; deeper ones are counted only.
  static constexpr uint32_t kSpans = 16;
  struct Span {
    const char* name;
    uint64_t begin;
  } spans[kSpans];
  uint32_t span_depth = 0;
  // It has failed, and is on its way out: nobody needs to end it any more. Volatile: for handlers on its thread.
  volatile bool is_over = false;
};

}  // namespace canopy
