// Fiber: one stack on which a block (or the executor's own loop) runs, and the switch between two.
//
// The only file that knows the sanitizers' fiber interfaces. Switching is cooperative and belongs to
// one thread; a fiber may be resumed by another thread only after parked() became true there.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace canopy {

struct Block;

class Fiber {
 public:
  using Entry = void (*)();

  // The native stack of the calling thread.
  Fiber();
  // A stack of `stack_bytes` plus a guard below it; runs `entry` when first switched to. `entry`
  // never returns.
  static Result<std::unique_ptr<Fiber>> create(size_t stack_bytes, Entry entry);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves `from` (the running fiber) for `to`; returns when somebody switches back to `from`.
  static void switch_to(Fiber& from, Fiber& to);
  // Forgets what ran on the stack: the next switch starts `entry` afresh.
  void rewind(Entry entry);
  // The same for a fiber that was left in the middle of something.
  void rewind_abandoned(Entry entry);
  // True when the fiber has left its thread and may be resumed. Acquire: pairs with the release after
  // the switch, so that the saved registers are visible.
  bool parked() const { return parked_.load(std::memory_order_acquire); }

  // Whether the address lies in the guard below the stack.
  bool guards(uintptr_t address) const {
    const auto low = reinterpret_cast<uintptr_t>(mapping_);
    return mapping_ != nullptr && address >= low && address < reinterpret_cast<uintptr_t>(stack_);
  }
  const void* stack_low() const { return stack_; }
  size_t stack_bytes() const { return stack_bytes_; }

  // Owned by whoever runs or parks the fiber.
  Fiber* next = nullptr;            // intrusive link: pool, ready list or wait list
  Block* block = nullptr;           // the block that runs on it; null: the executor's own loop
  int32_t stream = -1;              // whose task waits on it without a block
  class Executor* owner = nullptr;  // the executor it is to be resumed on
  int (*poll)(void*) = nullptr;     // a polled wait: resumed when it returns non-zero
  void* poll_argument = nullptr;

  // For reports, which other threads make while blocks run: words that are valid by themselves, because the
  // block and its launch may be gone by the time they are read. Both strings outlive the fiber.
  void begin_wait(const char* what);
  // Relaxed: a report that comes a little late names a wait that has just ended.
  void end_wait() { waits_for_.store(nullptr, std::memory_order_relaxed); }
  // "" when nothing waits on it.
  std::string describe() const;

 private:
  Fiber(std::byte* mapping, size_t mapping_bytes, std::byte* stack, size_t stack_bytes, Entry entry);
  void* context_ = nullptr;
  Entry entry_ = nullptr;
  std::byte* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::byte* stack_ = nullptr;  // lowest address
  size_t stack_bytes_ = 0;
  std::atomic<bool> parked_{false};
  std::atomic<const char*> waits_for_{nullptr};
  std::atomic<const char*> kernel_{nullptr};
  std::atomic<uint32_t> block_index_{0};  // without a kernel: the stream's number
  std::atomic<uint32_t> block_count_{0};
  void* sanitizer_ = nullptr;   // TSan's fiber, or ASan's fake stack
  friend struct FiberEntry;
};

// Stacks kept for reuse: a fresh guarded stack costs 9 us, a pooled one nothing. One pool per executor;
// not thread-safe.
class FiberPool {
 public:
  FiberPool(size_t stack_bytes, Fiber::Entry entry) : stack_bytes_(stack_bytes), entry_(entry) {}
  ~FiberPool();
  Fiber* take();  // never null: running out of address space is a CHECK
  void give(Fiber* fiber);
  // Any thread: one line per fiber with a block that waits.
  void describe(std::string* text) const;

 private:
  const size_t stack_bytes_;
  const Fiber::Entry entry_;
  Fiber* free_ = nullptr;
  mutable SpinLock lock_;  // guards all_
  std::vector<std::unique_ptr<Fiber>> all_;
};

}  // namespace canopy
