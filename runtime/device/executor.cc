#include "runtime/device/executor.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/remote_bell.h"
#include "runtime/device/dma.h"
#include "runtime/device/scheduler.h"

#include <pthread.h>

#include <bit>
#include <csignal>
#include <mutex>

namespace canopy {
namespace {

constexpr uint32_t kFiberBit = 1u << 8;
constexpr uint32_t kRotateTasks = 64;
constexpr uint64_t kRotateNs = 100'000;
constexpr uint32_t kFiberTurns = 64;  // blocks that wake each other must not starve everything else
constexpr uint64_t kSpareIdleNs = 50'000'000;

thread_local Executor* t_executor = nullptr;

uint8_t highest_priority(uint32_t bits) {
  return (bits & 0xFF) != 0 ? static_cast<uint8_t>(std::countr_zero(bits & 0xFF)) : Strand::kPriorities;
}

// Relaxed: the code travels with the strand's error; a poll that misses it looks again.
bool launch_failed(const Fiber& fiber) {
  return fiber.block != nullptr && fiber.block->launch->failed.load(std::memory_order_relaxed);
}

}  // namespace

// Out of line and opaque: a block may go on on another thread after a switch, so the address of the
// thread-local must be computed anew each time.
[[gnu::noinline]] Executor* Executor::current() {
  Executor* executor = t_executor;
  compiler_barrier();
  return executor;
}

Executor::Executor(Scheduler& scheduler, uint32_t index, bool spare)
    : scheduler_(scheduler), index_(index), spare_(spare), pool_(scheduler.stack_bytes(), &fiber_main) {}

Executor::~Executor() {
  for (void* buffer : unified_buffers_) {
    ::operator delete(buffer, std::align_val_t{512});
  }
}

void Executor::start() {
  // The user's signals stay with the user's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) {
    sigdelset(&all, fault);
  }
  pthread_sigmask(SIG_BLOCK, &all, &before);
  scheduler_.running_threads_.fetch_add(1, std::memory_order_relaxed);
  thread_ = std::jthread([this] { thread_main(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Executor::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Executor::thread_main() {
  pthread_setname_np(pthread_self(), spare_ ? "canopy-spare" : "canopy-exec");
  t_executor = this;
  Fiber root;  // made on the thread it stands for
  Fiber* first = pool_.take();
  first->owner = this;
  running_ = first;
  thread_stack_ = &root;
  Fiber::switch_to(root, *first);
  // Back here either to run a host function on the thread's own stack, or to end.
  while (root_call_ != nullptr) {
    CallFunction call = std::exchange(root_call_, nullptr);
    call(root_argument_);
    Fiber::switch_to(root, *running_);
  }
  scheduler_.running_threads_.fetch_sub(1, std::memory_order_release);
}

void Executor::fiber_main() {
  for (;;) {
    Executor::current()->loop_once();
  }
}

void Executor::call_on_thread_stack(CallFunction function, void* argument) {
  Executor* self = current();
  self->root_call_ = function;
  self->root_argument_ = argument;
  Fiber::switch_to(*self->running_, *self->thread_stack_);
}

void Executor::loop_once() {
  if (scheduler_.halted()) [[unlikely]] {
    leave_thread();
  }
  if (abandoned_ != nullptr) {
    reap_abandoned();
    return;
  }
  count_progress();
  if (Strand* strand = std::exchange(resume_strand_, nullptr)) {
    if (!has_work()) {
      note_waiting_work();
      run_strand(strand);
      return;
    }
    push_strand(strand);  // others wait as well: in turn
  }
  const bool fibers_last = std::exchange(fibers_last_turn_, false) || fiber_turns_ >= kFiberTurns;
  if (!fibers_last && run_ready_fiber()) {
    return;
  }
  fiber_turns_ = 0;
  if (has_polls()) {
    check_polls();
    if (!fibers_last && run_ready_fiber()) {
      return;
    }
  }
  const uint8_t ready = highest_priority(ready_bits_.load(std::memory_order_relaxed));
  // Open launches go before strands of their own priority: they have been started already.
  BlockClaim claim;
  if (scheduler_.claim_block(&claim, ready)) {
    note_waiting_work();
    run_block(claim);
    return;
  }
  if (Strand* strand = pop_strand(Strand::kPriorities)) {
    note_waiting_work();
    run_strand(strand);
    return;
  }
  if (fibers_last && run_ready_fiber()) {
    return;
  }
  if (Strand* strand = scheduler_.steal_for(*this)) {
    note_waiting_work();
    run_strand(strand);
    return;
  }
  idle();
}

// What runs next may never yield: then the watchdog has to see that others wait.
void Executor::note_waiting_work() {
  if (has_work() || has_polls() || scheduler_.has_open_launches()) {
    scheduler_.arm_watchdog();
  }
}

bool Executor::loop_has_work() const {
  return has_strands() || has_polls() || scheduler_.has_open_launches();
}

Fiber* Executor::loop_fiber() {
  fibers_last_turn_ = true;
  return pool_.take();
}

// ---- Fibers.

bool Executor::run_ready_fiber() {
  Fiber* fiber = pop_fiber();
  if (fiber == nullptr) {
    return false;
  }
  ++fiber_turns_;
  // This loop's stack is free once it has been left; it continues here when taken from the pool.
  Fiber* self = running_;
  note_waiting_work();
  pool_.give(self);
  running_ = fiber;
  fiber->owner = this;
  Fiber::switch_to(*self, *fiber);
  return true;
}

Fiber* Executor::pop_fiber() {
  if ((ready_bits_.load(std::memory_order_relaxed) & kFiberBit) == 0) {
    return nullptr;
  }
  std::lock_guard lock(lock_);
  Fiber* fiber = fibers_first_;
  if (fiber != nullptr) {
    fibers_first_ = fiber->next;
    fiber->next = nullptr;
    if (fibers_first_ == nullptr) {
      fibers_last_ = nullptr;
      set_bits(ready_bits_.load(std::memory_order_relaxed) & ~kFiberBit);
    }
  }
  return fiber;
}

void Executor::push_fiber(Fiber* fiber) {
  std::lock_guard lock(lock_);
  fiber->next = nullptr;
  if (fibers_last_ == nullptr) {
    fibers_first_ = fiber;
  } else {
    fibers_last_->next = fiber;
  }
  fibers_last_ = fiber;
  set_bits(ready_bits_.load(std::memory_order_relaxed) | kFiberBit);
}

void Executor::park() {
  Executor* self = current();
  self->count_progress();
  Fiber* from = self->running_;
  Fiber* to;
  if (++self->fiber_turns_ >= kFiberTurns && self->loop_has_work()) {
    to = self->loop_fiber();
  } else {
    to = self->pop_fiber();
    if (to == from) {
      return;  // woken before it had gone to sleep
    }
    if (to == nullptr) {
      to = self->pool_.take();
    }
  }
  self->leave_for(*from, *to);
}

void Executor::leave_for(Fiber& from, Fiber& to) {
  to.owner = this;
  running_ = &to;
  note_waiting_work();
  Fiber::switch_to(from, to);
}

void Executor::park_polling(int (*poll)(void*), void* argument, const char* what) {
  Executor* self = current();
  Fiber* fiber = self->running_;
  fiber->poll = poll;
  fiber->poll_argument = argument;
  fiber->waits_for = what;
  {
    std::lock_guard lock(self->lock_);
    fiber->next = self->polls_;
    self->polls_ = fiber;
    self->poll_count_.fetch_add(1, std::memory_order_relaxed);
  }
  park();
  fiber->waits_for = nullptr;
}

void Executor::yield() {
  Executor* self = current();
  Fiber* from = self->running_;
  self->push_fiber(from);
  if (!self->loop_has_work()) {
    park();
    return;
  }
  // What the block yields for may be a stream or a polled wait, which only the loop finds.
  self->count_progress();
  self->leave_for(*from, *self->loop_fiber());
}

void Executor::check_polls() {
  Fiber* list;
  {
    std::lock_guard lock(lock_);
    list = std::exchange(polls_, nullptr);
  }
  Fiber* kept = nullptr;
  Fiber* kept_last = nullptr;
  uint32_t done = 0;
  while (list != nullptr) {
    Fiber* fiber = list;
    list = fiber->next;
    // A fiber that another thread is still leaving cannot be resumed yet.
    if (fiber->parked() && (launch_failed(*fiber) || fiber->poll(fiber->poll_argument) != 0)) {
      fiber->poll = nullptr;
      ++done;
      push_fiber(fiber);
    } else {
      fiber->next = kept;
      kept = fiber;
      if (kept_last == nullptr) {
        kept_last = fiber;
      }
    }
  }
  std::lock_guard lock(lock_);
  if (kept != nullptr) {
    kept_last->next = polls_;
    polls_ = kept;
  }
  poll_count_.fetch_sub(done, std::memory_order_relaxed);
}

void Executor::hand_over_to(Executor& thief) {
  Fiber* fibers;
  Fiber* polls;
  uint32_t polled = 0;
  {
    std::lock_guard lock(lock_);
    fibers = std::exchange(fibers_first_, nullptr);
    fibers_last_ = nullptr;
    set_bits(ready_bits_.load(std::memory_order_relaxed) & ~kFiberBit);
    polls = std::exchange(polls_, nullptr);
    polled = poll_count_.exchange(0, std::memory_order_relaxed);
  }
  while (fibers != nullptr) {
    Fiber* fiber = fibers;
    fibers = fiber->next;
    fiber->owner = &thief;
    // A ready fiber that is still being left goes back to where it is leaving.
    (fiber->parked() ? thief : *this).push_fiber(fiber);
  }
  if (polls != nullptr) {
    Fiber* last = polls;
    last->owner = &thief;
    while (last->next != nullptr) {
      last = last->next;
      last->owner = &thief;
    }
    std::lock_guard lock(thief.lock_);
    last->next = thief.polls_;
    thief.polls_ = polls;
    thief.poll_count_.fetch_add(polled, std::memory_order_relaxed);
  }
}

void Executor::release_waiting(Launch& launch) {
  // seq_cst: see canopy_sync_all(), whose blocks enter the list and then look at `failed`.
  Fiber* list = launch.waiting.exchange(nullptr, std::memory_order_seq_cst);
  Scheduler& scheduler = current()->scheduler_;
  while (list != nullptr) {
    Fiber* next = list->next;
    scheduler.make_ready(list);
    list = next;
  }
}

void Executor::abandon_block(int32_t code) {
  Executor* self = current();
  Fiber* from = self->running_;
  self->abandoned_ = from;
  self->abandoned_code_ = code;
  Fiber* to = self->pool_.take();
  to->owner = self;
  self->running_ = to;
  Fiber::switch_to(*from, *to);
  CHECK(false, "an abandoned block must not be resumed");
  __builtin_unreachable();
}

void Executor::reap_abandoned() {
  Fiber* fiber = std::exchange(abandoned_, nullptr);
  Block block = *fiber->block;  // lies on the abandoned stack
  block.launch->strand->record_error(abandoned_code_);
  block.launch->failed.store(true, std::memory_order_seq_cst);  // before the look at who waits
  release_waiting(*block.launch);
  fiber->rewind(&fiber_main);
  pool_.give(fiber);
  if (Strand* strand = end_block(block)) {
    resume_strand_ = strand;
  }
}

// ---- Strands.

void Executor::push_strand(Strand* strand) {
  std::lock_guard lock(lock_);
  StrandQueue& queue = ready_[strand->priority()];
  strand->next_ready = nullptr;
  if (queue.last == nullptr) {
    queue.first = strand;
  } else {
    queue.last->next_ready = strand;
  }
  queue.last = strand;
  set_bits(ready_bits_.load(std::memory_order_relaxed) | 1u << strand->priority());
}

Strand* Executor::pop_strand(uint8_t at_least) {
  if (!has_strands()) {
    return nullptr;
  }
  std::lock_guard lock(lock_);
  const uint8_t priority = highest_priority(ready_bits_.load(std::memory_order_relaxed));
  if (priority >= at_least) {
    return nullptr;
  }
  StrandQueue& queue = ready_[priority];
  Strand* strand = queue.first;
  queue.first = strand->next_ready;
  if (queue.first == nullptr) {
    queue.last = nullptr;
    set_bits(ready_bits_.load(std::memory_order_relaxed) & ~(1u << priority));
  }
  return strand;
}

Strand* Executor::steal_strand() { return pop_strand(Strand::kPriorities); }

bool Executor::should_rotate(const Strand& strand, uint32_t* budget, uint64_t started) {
  const uint32_t bits = ready_bits_.load(std::memory_order_relaxed);
  if (bits == 0 && !scheduler_.has_open_launches()) [[likely]] {
    return false;
  }
  if (highest_priority(bits) < strand.priority()) {
    return true;
  }
  if (--*budget == 0 || TickScale::to_ns(ticks()) - started > kRotateNs) {
    return true;
  }
  return false;
}

void Executor::run_strand(Strand* strand) {
  uint32_t budget = kRotateTasks;
  uint64_t started = 0;
  for (;;) {
    Executor* self = current();
    if (!self->spare_) {
      strand->home.store(self->index_, std::memory_order_relaxed);
    }
    Sqe* sqe = strand->front();
    if (!run_task(strand, sqe)) {
      return;
    }
    if (!strand->retire()) {
      return;
    }
    self = current();
    if (self->scheduler_.halted()) [[unlikely]] {
      return;
    }
    self->count_progress();
    if (self->resume_strand_ != nullptr && strand->front()->kind != SqeKind::event_wait) {
      // This stream goes on, so the one it made ready goes where others find it. (A wait probably
      // ends this stream's turn, and then the other runs next, here.)
      self->scheduler_.submit(std::exchange(self->resume_strand_, nullptr));
    }
    if (self->has_work() || self->scheduler_.has_open_launches()) [[unlikely]] {
      if (started == 0) {
        started = TickScale::to_ns(ticks());
        // Others' work waits behind this stream: somebody asleep should take it.
        self->scheduler_.wake_one_sleeper();
      }
      if (self->should_rotate(*strand, &budget, started)) {
        self->push_strand(strand);
        return;
      }
    }
  }
}

bool Executor::run_task(Strand* strand, Sqe* sqe) {
  switch (sqe->kind) {
    case SqeKind::kernel:
      current()->note_waiting_work();
      return start_kernel(strand, sqe);
    case SqeKind::copy: {
      TraceScope span("copy", strand->device().device(), strand->device().dma_track(), -1);
      copy_bytes(sqe->body.copy.dst, sqe->body.copy.src, sqe->body.copy.bytes);
      return true;
    }
    case SqeKind::fill: {
      TraceScope span("fill", strand->device().device(), strand->device().dma_track(), -1);
      fill_bytes(sqe->body.fill.dst, sqe->body.fill.value, sqe->body.fill.bytes);
      return true;
    }
    case SqeKind::event_record: {
      EventCell* cell = sqe->body.event.cell;
      Strand* waiter = cell->finish(sqe->timed != 0);
      cell->drop_reference();
      if (waiter != nullptr) {
        current()->take_waiters(waiter);
      }
      return true;
    }
    case SqeKind::event_wait: {
      EventCell* cell = sqe->body.event.cell;
      if (cell->add_waiter(strand)) {
        return false;  // whoever completes the cell resumes the strand at this same entry
      }
      cell->drop_reference();
      return true;
    }
    case SqeKind::call: {
      current()->note_waiting_work();
      const auto call = sqe->body.call;
      TraceScope span(call.what, strand->device().device(), strand->device().dma_track(), -1);
      call_on_thread_stack(call.function, call.argument);
      return true;
    }
  }
  return true;
}

// One waiter is kept aside, without any lock: if the recording stream has nothing more to do, it runs
// next, here.
void Executor::take_waiters(Strand* waiter) {
  while (waiter != nullptr) {
    Strand* next = waiter->next_waiter;
    waiter->prefetch();
    if (resume_strand_ == nullptr) {
      resume_strand_ = waiter;
    } else {
      scheduler_.submit(waiter);
    }
    waiter = next;
  }
}

// ---- Kernels.

bool Executor::start_kernel(Strand* strand, Sqe* sqe) {
  Launch& launch = strand->launch();
  launch.strand = strand;
  launch.image = sqe->body.kernel.image;
  launch.entry = sqe->body.kernel.entry;
  launch.args = sqe->body.kernel.args != nullptr ? sqe->body.kernel.args : sqe->body.kernel.inline_args;
  launch.kind = static_cast<CoreKind>(sqe->core_kind);
  launch.blocks = sqe->blocks;
  if (launch.flags_used.load(std::memory_order_relaxed)) [[unlikely]] {
    launch.flags_used.store(false, std::memory_order_relaxed);
    for (auto& flag : launch.flags) {
      flag.store(0, std::memory_order_relaxed);
    }
  }
  if (launch.failed.load(std::memory_order_relaxed)) [[unlikely]] {
    launch.failed.store(false, std::memory_order_relaxed);
  }
  if (sqe->blocks == 1) {
    const int core = strand->device().pool(launch.kind).acquire();
    if (core >= 0) [[likely]] {
      // Runs where it was picked up; nobody else needs to know of it.
      Block block;
      block.launch = &launch;
      block.core = core;
      launch.ended.store(0, std::memory_order_relaxed);
      run_entry(block);
      release_core(block);
      return true;
    }
  }
  launch.next_block = 0;
  launch.ended.store(0, std::memory_order_relaxed);
  launch.arrived.store(0, std::memory_order_relaxed);
  current()->scheduler_.open_launch(strand->device(), &launch);
  return false;
}

void Executor::run_block(const BlockClaim& claim) {
  Block block;
  block.launch = claim.launch;
  block.index = claim.index;
  block.core = claim.core;
  run_entry(block);
  if (Strand* strand = end_block(block)) {
    run_strand(strand);
  }
}

void Executor::run_entry(Block& block) {
  const Launch& launch = *block.launch;
  const DeviceCores& device = launch.strand->device();
  TraceScope span(launch.image->trace_name, device.device(), device.track(launch.kind, block.core),
                  static_cast<int32_t>(block.index));
  current()->running_->block = &block;
  launch.entry(launch.args);
  current()->running_->block = nullptr;
}

void Executor::release_core(Block& block) {
  if (block.unified_buffer != nullptr) {
    current()->unified_buffers_.push_back(block.unified_buffer);
  }
  block.launch->strand->device().pool(block.launch->kind).release(block.core);
}

Strand* Executor::end_block(Block& block) {
  Launch& launch = *block.launch;
  Strand* strand = launch.strand;
  const uint32_t blocks = launch.blocks;
  release_core(block);
  // acq_rel: the block's effects are visible to whoever ends the last one. After this the launch
  // may be gone, unless this was the last block.
  if (launch.ended.fetch_add(1, std::memory_order_acq_rel) + 1 != blocks) {
    return nullptr;
  }
  return strand->retire() ? strand : nullptr;
}

void* Executor::take_unified_buffer(size_t bytes) {
  if (bytes > unified_buffer_bytes_) {
    for (void* buffer : unified_buffers_) {
      ::operator delete(buffer, std::align_val_t{512});
    }
    unified_buffers_.clear();
    unified_buffer_bytes_ = bytes;
  }
  if (!unified_buffers_.empty()) {
    void* buffer = unified_buffers_.back();
    unified_buffers_.pop_back();
    return buffer;
  }
  return ::operator new(unified_buffer_bytes_, std::align_val_t{512});
}

// ---- Idle.

bool Executor::found_work() const {
  if (has_work() || resume_strand_ != nullptr) {
    return true;
  }
  if (scheduler_.has_open_launches() && scheduler_.any_claimable()) {
    return true;
  }
  return scheduler_.can_steal(*this);
}

void Executor::idle() {
  // seq_cst: a submitter that sees the count relies on the searcher's later scan; see submit().
  scheduler_.searching_.fetch_add(1, std::memory_order_seq_cst);
  state_.store(State::searching, std::memory_order_seq_cst);
  WaitPacer pacer;
  bool leave = false;
  while (!found_work()) {
    if (has_polls()) {
      check_polls();
      if (has_work()) {
        break;
      }
    }
    if (scheduler_.halted() || (scheduler_.stopping() && !has_polls())) {
      leave = true;
      break;
    }
    if (!pacer.step()) {
      continue;
    }
    pacer.drop_permit();
    if (spare_ && !has_polls() && pacer.waited_ns() > kSpareIdleNs) {
      retire_until_revived();
      pacer.reset();
      continue;
    }
    sleep(pacer);
  }
  pacer.drop_permit();
  state_.store(State::running, std::memory_order_relaxed);
  scheduler_.searching_.fetch_sub(1, std::memory_order_seq_cst);
  if (leave) {
    leave_thread();
  }
  if (scheduler_.can_steal(*this)) {
    // Queued while this executor was counted, so nobody was rung; its own work may now keep it for long.
    scheduler_.arm_watchdog();
  }
}

// The thread ends on its own stack; this fiber is never resumed.
void Executor::leave_thread() {
  Fiber* self = running_;
  Fiber::switch_to(*self, *thread_stack_);
}

void Executor::sleep(WaitPacer& pacer) {
  scheduler_.sleeping_.fetch_add(1, std::memory_order_seq_cst);
  state_.store(State::sleeping, std::memory_order_seq_cst);
  scheduler_.searching_.fetch_sub(1, std::memory_order_seq_cst);
  auto limit = std::chrono::nanoseconds::max();
  if (has_polls()) {
    limit = pacer.next_nap();  // a plain store wakes nobody
  } else if (spare_) {
    limit = std::chrono::nanoseconds(kSpareIdleNs);
  }
  const auto needed = [this] {
    if (found_work() || scheduler_.stopping()) {
      return false;
    }
    if (has_polls()) {
      check_polls();
      return !has_work();
    }
    return true;
  };
  // The peers' bell rings for every store to this PE: every other sleep does without it, so that a
  // flood of stores does not become a flood of wake-ups.
  Doorbell* remote = has_polls() ? remote_bell() : nullptr;
  remote_turn_ = !remote_turn_;
  if (remote != nullptr && remote_turn_) {
    remote->sleep(BellScope::host, limit, needed);  // submitters ring this one too (Scheduler::ring)
  } else {
    bell_.sleep(BellScope::process, limit, needed);
  }
  scheduler_.searching_.fetch_add(1, std::memory_order_seq_cst);
  state_.store(State::searching, std::memory_order_seq_cst);
  scheduler_.sleeping_.fetch_sub(1, std::memory_order_seq_cst);
}

void Executor::retire_until_revived() {
  state_.store(State::retired, std::memory_order_seq_cst);
  scheduler_.searching_.fetch_sub(1, std::memory_order_seq_cst);
  while (!revived_.exchange(false, std::memory_order_acquire) && !scheduler_.stopping() && !has_work()) {
    bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(), [this] {
      return !revived_.load(std::memory_order_acquire) && !scheduler_.stopping() && !has_work();
    });
  }
  scheduler_.searching_.fetch_add(1, std::memory_order_seq_cst);
  state_.store(State::searching, std::memory_order_seq_cst);
}

void Executor::revive() {
  revived_.store(true, std::memory_order_release);
  bell_.ring(BellScope::process);
}

void Executor::describe(std::string* text) const { pool_.describe(text); }

}  // namespace canopy
