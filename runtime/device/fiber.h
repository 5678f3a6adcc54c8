// Fiber: one stack on which a block (or the executor's own loop) runs, and the switch between two.
//
// The only file that knows the sanitizers' fiber interfaces. Switching is cooperative and belongs to
// one thread; a fiber may be resumed by another thread only after parked() became true there.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/wait_note.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace canopy {

struct Block;

// Which exceptions are in flight or being handled on a stack. The C++ runtime keeps that by thread (Itanium C++ ABI,
// __cxa_eh_globals), so it goes with the fiber.
struct ExceptionState {
  void save();  // the thread's
  void restore() const;
  void* caught = nullptr;
  unsigned uncaught = 0;
};

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

  // For reports and debuggers (wait_note.h): what runs on the fiber begins to wait. `what` and the kernel's name
  // outlive it.
  void begin_wait(const char* what, const WordFacts& facts);
  // Relaxed: a report that comes a little late names a wait that has just ended.
  void end_wait() { note_.what.store(nullptr, std::memory_order_relaxed); }

 private:
  Fiber(std::byte* mapping, size_t mapping_bytes, std::byte* stack, size_t stack_bytes, Entry entry);
  void* context_ = nullptr;
  Entry entry_ = nullptr;
  std::byte* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::byte* stack_ = nullptr;  // lowest address
  size_t stack_bytes_ = 0;
  std::atomic<bool> parked_{false};
  ExceptionState exceptions_;  // while it does not run
  FiberNote note_;
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
  Result<Fiber*> try_take();
  void give(Fiber* fiber);

 private:
  const size_t stack_bytes_;
  const Fiber::Entry entry_;
  Fiber* free_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> all_;
};

}  // namespace canopy
