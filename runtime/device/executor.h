// Executor: a thread that runs strands and blocks. Its loop runs on a fiber; when a block waits, the
// block's fiber is parked and the loop goes on on another one, so a waiting block costs one stack and
// no thread.
//
// Concurrency: the loop and everything it calls belong to the executor's thread. accept_strand(), push_*() and
// steal_*() may be called by any thread; what they touch is guarded by lock_, but for the inbox. A parked fiber is
// resumed by the executor that owns it; only when that executor has been inside one block for longer
// than the watchdog allows do spare executors take its ready fibers over.
//
//   ready_bits_:  bit 0..7  strands of that priority wait in ready_[p]
//                 bit 8     fibers wait in fibers_
//   inbox_:       strands that come from other threads, until somebody looks for one: then all go to ready_
//   mailbox_:     open while the executor looks for work and nothing else: whoever has a strand for it puts
//                 it there with one exchange of one line, instead of the queue's lock
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/mapping.h"
#include "runtime/base/spin_lock.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/fault.h"
#include "runtime/device/fiber.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/strand.h"
#include "runtime/device/strand_inbox.h"
#include "runtime/device/trace_buffer.h"

#include <atomic>
#include <bit>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace canopy {

class Scheduler;
class WaitPacer;

class Executor {
 public:
  enum class State : uint32_t { searching, running, sleeping, retired };

  Executor(Scheduler& scheduler, uint32_t index, bool spare);
  ~Executor();
  // Errc::limit: no thread, or no address space for its stacks; then nothing is left to join.
  Result<> start();
  void join();

  // The executor whose thread this is; null elsewhere. Never cache it across a switch.
  static Executor* current();
  // Parks the running fiber until somebody pushes it ready. REQUIRES: on an executor, in a block or
  // call; the fiber has been put where its waker finds it.
  static void park();
  // Parks the running fiber until poll(argument) is non-zero. `what` and `facts` are for reports.
  static void park_polling(int (*poll)(void*), void* argument, const char* what, const WordFacts& facts);
  // Lets others run, then goes on.
  static void yield();
  // Ends the running block, whose launch has failed or is to end early: its stack is abandoned, nothing is unwound.
  [[noreturn]] static void abandon_block();
  // Fails the task of the running block, and ends that.
  [[noreturn]] static void fail_block(DeviceFault fault, std::string sentence);
  // Where a block goes on that a signal handler has taken out of its code, with fault_ for its reason.
  [[noreturn]] static void leave_faulted_block();
  // For handlers on this thread.
  static RunningBlock running_block();

  // Hands the strand over if the executor waits with an open mailbox. `head_is_over` travels with it, so
  // that the strand's own line need not.
  bool offer(Strand* strand, bool head_is_over);
  // Resumes a strand behind its wait, from the loop that has found the wait over: here, if nothing else is in hand.
  void resume_found(Woken woken) { take_waiter(woken, resume_strand_ != nullptr); }
  // A strand that has become ready.
  void accept_strand(Strand* strand) {
    if (!inbox_.push(strand)) [[unlikely]] {
      push_strand(strand);
    }
  }
  // Behind all that are ready.
  void push_strand(Strand* strand);
  void push_fiber(Fiber* fiber) { push_fibers(fiber, fiber); }
  // Several, linked from `first` to `last`.
  void push_fibers(Fiber* first, Fiber* last);
  Strand* steal_strand();
  // Takes the ready fibers and polled waits of a stuck executor over to `thief`.
  void hand_over_to(Executor& thief);

  // Something to run for others: strands that could be stolen.
  // The inbox first: what leaves it is in a queue by then.
  bool has_strands() const { return inbox_.any() || (ready_bits_.load(std::memory_order_relaxed) & 0xFF) != 0; }
  bool has_work() const { return inbox_.any() || ready_bits_.load(std::memory_order_relaxed) != 0; }
  bool has_polls() const { return poll_count_.load(std::memory_order_relaxed) != 0; }
  State state() const { return state_.load(std::memory_order_relaxed); }
  // Changes whenever the executor gets on: for the watchdog.
  uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }
  bool spare() const { return spare_; }
  uint32_t index() const { return index_; }
  Doorbell& bell() { return bell_; }
  TraceBuffer& trace() { return trace_; }
  Block* block() const { return running_->block; }
  // Interrupts the block that runs here, if one does and its launch has failed. Any thread.
  void interrupt_block();
  // The launch of the block that the thread is in, null when it is in none. To be compared only. Relaxed: a hint, for
  // who interrupts blocks.
  const Launch* launch() const { return launch_.load(std::memory_order_relaxed); }
  // Scratch for a block of this executor; goes back with the block.
  void* take_unified_buffer(size_t bytes);
  void keep_unified_buffer(void* buffer);
  Fiber* running_fiber() const { return running_; }
  Scheduler& scheduler() { return scheduler_; }
  // Brings a retired spare back to work.
  void revive();

 private:
  static constexpr uint32_t kFiberBit = 1u << 8;
  static constexpr uint32_t kLoopsPerNews = 64;
  static constexpr uint32_t kFiberTurns = 64;  // blocks that wake each other must not starve the rest
  // Of the strands in `bits` of ready_bits_; Strand::kPriorities when there are none.
  static uint8_t highest_priority(uint32_t bits) {
    return (bits & 0xFF) != 0 ? static_cast<uint8_t>(std::countr_zero(bits & 0xFF)) : Strand::kPriorities;
  }

  static void fiber_main();
  static void call_on_thread_stack(CallFunction function, void* argument);
  void thread_main();
  void loop_once();
  void note_waiting_work();
  // Something that only the loop finds waits: polled waits, strands, unstarted blocks.
  bool loop_has_work() const;
  // A fiber that runs the loop, which is to look at those first, before ready fibers.
  Fiber* loop_fiber();
  void leave_for(Fiber& from, Fiber& to);
  void run_next(Fiber& fiber);
  void note_launch(const Launch* launch) { launch_.store(launch, std::memory_order_relaxed); }
  // The shares that the waits had in what they waited for.
  uint64_t take_waiters(const Strand& for_whom, uintptr_t waiters);
  // Resumes one of them; `goes_on`: the stream that lets it go goes on with other tasks.
  void take_waiter(Woken woken, bool goes_on) {
    if (goes_on || woken_.strand != nullptr) {
      submit_elsewhere(woken);
    } else {
      woken_ = woken;
    }
  }
  void submit_elsewhere(Woken woken);
  Strand* next_in_hand();
  // REQUIRES: there is one.
  Strand* take_woken() {
    woken_.strand->head_is_over = true;
    return std::exchange(woken_, {}).strand;
  }
  // Single writer, so no locked instruction.
  void count_progress() {
    progress_.store(progress_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // REQUIRES: lock_ held. Submitters that go on to read other agents' state fence after it.
  void set_bits(uint32_t bits) { ready_bits_.store(bits, std::memory_order_relaxed); }
  bool run_ready_fiber();
  void check_polls();
  void resume(Fiber* fiber);
  Fiber* pop_fiber();
  // What has come by the inbox goes to the queues. REQUIRES, as append() and pop_locked(): lock_ held.
  void empty_inbox();
  void append(Strand* strand);
  Strand* pop_locked(uint8_t at_least);
  // With what has come by the inbox. The executor's own, as pop_strand(), which comes behind it.
  uint8_t highest_ready();
  Strand* pop_strand(uint8_t at_least);
  void reap_abandoned();
  static void fail_for_exception(Launch& launch, const Block& block);

  // These may return on another executor than they were called on: static, they ask current().
  static void run_strand(Strand* strand);
  // Drops the tasks at the head that are not to run; false: the strand is no longer ours.
  static bool drop_heads(Executor& self, Strand* strand);
  // false: the strand is no longer ours. `self` is where the call came and where it ends.
  static bool run_task(Executor*& self, Strand* strand, Sqe* sqe);
  static bool run_rare_task(Executor*& self, Strand* strand, Sqe* sqe);
  static bool start_kernel(Executor*& self, Strand* strand, Sqe* sqe);
  static void run_block(const BlockClaim& claim);
  // Where the block has ended.
  static Executor* run_entry(Executor& before, Block& block);
  // With its span in the timeline and its core's clock.
  static void run_observed(Block& block);
  // Gives core and buffers back; the strand to go on with if it was the launch's last block.
  static Strand* end_block(Block& block);
  // Before something that may last. A launch may wait for just this core, and who looked for work has found it taken.
  void give_core_back() {
    if (cores_.give_back()) {
      call_for_cores();
    }
  }
  void call_for_cores();
  void release_core(Block& block) {
    if (block.unified_buffer != nullptr) [[unlikely]] {
      keep_unified_buffer(block.unified_buffer);
    }
    cores_.put(block.launch->strand->device().pool(block.launch->kind), block.core);
  }
  static void end_launch(Launch& launch);
  void open_mailbox();
  void close_mailbox();
  // Relaxed: a hint.
  bool has_mail() const { return mailbox_is_open_ && mailbox_.load(std::memory_order_relaxed) != kMailboxOpen; }
  bool should_rotate(const Strand& strand, uint32_t* budget, uint64_t* started);
  bool linger();
  void idle();
  bool found_work() const;
  // Blocks to claim, strands to steal.
  bool work_elsewhere() const;
  void sleep(WaitPacer& pacer);
  void retire_until_revived();
  void leave_thread();

  Scheduler& scheduler_;
  const uint32_t index_;
  const bool spare_;
  Mapping signal_memory_;
  std::jthread thread_;

  CoreHand cores_;
  Fiber* thread_stack_ = nullptr;  // stands for the thread's own stack
  Fiber* running_ = nullptr;
  FiberPool pool_;
  // To run next, ahead of the queues. The first one's kernel has just ended here, or it came by the mailbox;
  // the second one waited for an event that has just come, and goes on behind that wait.
  Strand* resume_strand_ = nullptr;
  Woken woken_;
  Fiber* abandoned_ = nullptr;
  Fault fault_;
  bool mailbox_is_open_ = false;
  bool remote_turn_ = false;
  int short_searches_ = 0;  // for work, in a row, that found some before it was time to sleep
  bool fibers_last_turn_ = false;  // the loop's next turn leaves ready fibers for last
  uint32_t loops_since_news_ = 0;  // turns of the loop with something in hand, since a look at peers' news
  uint32_t fiber_turns_ = 0;       // fibers resumed in a row without a look at anything else
  CallFunction root_call_ = nullptr;
  void* root_argument_ = nullptr;
  std::vector<void*> unified_buffers_;  // free ones, all of the largest size asked for
  size_t unified_buffer_bytes_ = 0;
  TraceBuffer trace_;

  // Read by other threads. Searching exactly while counted in Scheduler::searching_: who starts to work at
  // once (a spare) must count as running for the watchdog.
  // On a line that changes with neither the tasks nor the searches of others: submitters read it.
  alignas(kCacheLine) std::atomic<State> state_{State::running};
  alignas(kCacheLine) std::atomic<uint64_t> progress_{0};
  std::atomic<uint32_t> poll_count_{0};
  std::atomic<bool> revived_{false};
  std::atomic<bool> in_call_{false};  // in a function of an upper side, not to be interrupted
  std::atomic<int> thread_id_{0};     // 0: not started, or over
  std::atomic<const Launch*> launch_{nullptr};
  Doorbell bell_;

  static constexpr uintptr_t kMailboxOpen = 1;
  static constexpr uintptr_t kHeadIsOver = 2;  // with a Strand*
  // Written by its executor to open it, and to close it while it is empty. What was put there stays until it is opened
  // again, so that taking it out costs no write of a line that another core has just written.
  alignas(kCacheLine) std::atomic<uintptr_t> mailbox_{0};

  StrandInbox inbox_;

  alignas(kCacheLine) std::atomic<uint32_t> ready_bits_{0};
  mutable SpinLock lock_;  // guards all below
  struct StrandQueue {
    Strand* first = nullptr;
    Strand* last = nullptr;
  } ready_[Strand::kPriorities];
  Fiber* fibers_first_ = nullptr;
  Fiber* fibers_last_ = nullptr;
  Fiber* polls_ = nullptr;
  friend class Scheduler;
};

}  // namespace canopy
