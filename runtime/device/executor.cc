#include "runtime/device/executor.h"

#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/remote_bell.h"
#include "runtime/device/fault_handler.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/signal_stack.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <utility>

namespace canopy {
namespace {

constexpr uint64_t kSpareIdleNs = 50'000'000;
constexpr int kPatience = 64;      // so many searches in a row
constexpr int kDoubt = 192;       // and so many more where lingering was for nothing
constexpr int kLingerPauses = 16;  // 1 us

// Read by signal handlers, in any thread: initial-exec, because the first use of other thread-locals allocates.
[[gnu::tls_model("initial-exec")]] thread_local Executor* t_executor = nullptr;

}  // namespace

// Out of line and opaque: a block may go on on another thread after a switch, so the address of the
// thread-local must be computed anew each time.
[[gnu::noinline]] Executor* Executor::current() {
  Executor* executor = t_executor;
  compiler_barrier();
  return executor;
}

Executor::Executor(Scheduler& scheduler, uint32_t index, bool spare)
    : scheduler_(scheduler), index_(index), spare_(spare), cores_(index), pool_(scheduler.stack_bytes(), &fiber_main) {}

Executor::~Executor() {
  for (void* buffer : unified_buffers_) {
    ::operator delete(buffer, std::align_val_t{512});
  }
}

// What the thread cannot do without is there before it is: once it runs nobody can be told.
Result<> Executor::start() {
  const std::string what = spare_ ? std::string("a spare executor")
                                  : fmt::format("executor {} of {} (CANOPY_EXECUTORS sets how many)", index_ + 1,
                                                scheduler_.regular_count());
  const auto refuse = [&](const Error& error) {
    error_text::take_newest();
    return refuse_thread(what, error.native);
  };
  auto signal_memory = SignalStack::reserve();
  if (!signal_memory) {
    return refuse(signal_memory.error());
  }
  auto first = pool_.try_take();
  if (!first) {
    return refuse(first.error());
  }
  signal_memory_ = std::move(*signal_memory);
  running_ = *first;
  running_->owner = this;
  scheduler_.running_threads_.fetch_add(1, std::memory_order_relaxed);
  auto started = start_thread(&thread_, what, [this] { thread_main(); }, kFaultSignals);
  if (!started) {
    scheduler_.running_threads_.fetch_sub(1, std::memory_order_relaxed);
  }
  return started;
}

void Executor::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Executor::thread_main() {
  pthread_setname_np(pthread_self(), spare_ ? "canopy-spare" : "canopy-exec");
  const SignalStack signal_stack(signal_memory_);
  Fiber root;  // made on the thread it stands for
  thread_stack_ = &root;
  t_executor = this;
  // Relaxed: a number; who reads 0 finds no block here to interrupt.
  thread_id_.store(::gettid(), std::memory_order_relaxed);
  Fiber::switch_to(root, *running_);
  // Back here either to run a host function on the thread's own stack, or to end.
  while (root_call_ != nullptr) {
    CallFunction call = std::exchange(root_call_, nullptr);
    call(root_argument_);
    Fiber::switch_to(root, *running_);
  }
  thread_id_.store(0, std::memory_order_relaxed);
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
  // Relaxed: a hint, see interrupt_block().
  self->in_call_.store(true, std::memory_order_relaxed);
  Fiber::switch_to(*self->running_, *self->thread_stack_);
  self->in_call_.store(false, std::memory_order_relaxed);
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
  // Not before what is in hand, unless that never ends.
  const bool in_hand = resume_strand_ != nullptr || woken_.strand != nullptr;
  if ((!in_hand || ++loops_since_news_ >= kLoopsPerNews) && scheduler_.peer_news_.any()) [[unlikely]] {
    loops_since_news_ = 0;
    scheduler_.peer_news_.deal();
  }
  if (resume_strand_ == nullptr && woken_.strand != nullptr) {
    resume_strand_ = take_woken();
  }
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
  const uint8_t ready = highest_ready();
  // Open launches go before strands of their own priority: they have been started already.
  BlockClaim claim;
  if (scheduler_.claim_block(&claim, ready, cores_)) {
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
  if (!linger()) {
    idle();
  }
}

// As Strand::linger(), across strands: an executor faster than who hands them over would begin to search after each one, and
// its lines go to and fro for every task. Where that goes on, it lets them get ahead first. (2026-11, 2 cores, a task on
// each of 64 streams in turn: 9.2 million/s instead of 8.0.) False: they did not.
bool Executor::linger() {
  short_searches_ = std::min(short_searches_ + 1, kPatience);
  if (short_searches_ < kPatience) [[likely]] {
    return false;
  }
  for (int i = 0; i < kLingerPauses && !scheduler_.peer_news_.any(); ++i) {
    cpu_relax();
  }
  if (!inbox_.has_several()) {
    short_searches_ = -kDoubt;
    return false;
  }
  return true;
}

// What runs next may never yield: then the watchdog has to see that others wait.
void Executor::note_waiting_work() {
  if (has_work() || has_polls() || scheduler_.has_open_launches() || scheduler_.peer_news_.has_waits()) {
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

// ---- Idle.

bool Executor::offer(Strand* strand, bool head_is_over) {
  uintptr_t open = kMailboxOpen;
  prefetch_for_write(&mailbox_);  // one transfer instead of two, should it be open
  // Release: the strand's state, and what its streams waited for; pairs with the acquire of
  // close_mailbox().
  return mailbox_.load(std::memory_order_relaxed) == open &&
         mailbox_.compare_exchange_strong(
             open, reinterpret_cast<uintptr_t>(strand) | (head_is_over ? kHeadIsOver : 0),
             std::memory_order_release, std::memory_order_relaxed);
}

void Executor::open_mailbox() {
  mailbox_is_open_ = true;
  // Relaxed: an empty mailbox hands nothing over.
  mailbox_.store(kMailboxOpen, std::memory_order_relaxed);
}

// REQUIRES: nothing in resume_strand_.
void Executor::close_mailbox() {
  if (!std::exchange(mailbox_is_open_, false)) {
    return;
  }
  uintptr_t got = mailbox_.load(std::memory_order_acquire);
  if (got == kMailboxOpen) {
    got = mailbox_.exchange(0, std::memory_order_acquire);
  }
  if (got != kMailboxOpen) {
    resume_strand_ = reinterpret_cast<Strand*>(got & ~kHeadIsOver);
    if ((got & kHeadIsOver) != 0) {
      resume_strand_->head_is_over = true;
    }
  }
}

bool Executor::found_work() const {
  return has_mail() || has_work() || resume_strand_ != nullptr || scheduler_.peer_news_.any() ||
         work_elsewhere();
}

bool Executor::work_elsewhere() const {
  return (scheduler_.has_open_launches() && scheduler_.any_claimable()) || scheduler_.can_steal(*this);
}

void Executor::idle() {
  cores_.give_back();
  open_mailbox();  // first: what comes now comes the short way
  // seq_cst: a submitter that sees the count relies on the searcher's later scan; see submit().
  scheduler_.searching_.fetch_add(1, std::memory_order_seq_cst);
  state_.store(State::searching, std::memory_order_seq_cst);
  WaitPacer pacer(SpinRank::executor);
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
    short_searches_ = std::min(short_searches_, 0);
    close_mailbox();
    if (resume_strand_ != nullptr) {
      break;
    }
    if (spare_ && !has_polls() && pacer.waited_ns() > kSpareIdleNs) {
      retire_until_revived();
      pacer.reset();
    } else {
      sleep(pacer);
    }
    open_mailbox();
  }
  if (resume_strand_ == nullptr) {
    close_mailbox();
  }
  pacer.drop_permit();
  state_.store(State::running, std::memory_order_relaxed);
  scheduler_.searching_.fetch_sub(1, std::memory_order_seq_cst);
  if (leave) {
    leave_thread();
  }
  if (work_elsewhere()) {
    // It came while this executor was counted, so nobody was rung; what runs here next, from the mailbox
    // for instance, may go on for ever.
    scheduler_.wake_one_sleeper();
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
    limit = pacer.next_nap(pacer.waited_ns());  // a plain store wakes nobody
  } else if (spare_) {
    limit = std::chrono::nanoseconds(kSpareIdleNs);
  }
  PeerBell* const peers = scheduler_.peer_news_.bell();
  const auto needed = [this, peers] {
    // A bell that has come since: Scheduler::listen_to_peers() may have rung before this executor was to be woken.
    if (found_work() || scheduler_.stopping() || scheduler_.peer_news_.bell() != peers) {
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
  } else if (peers != nullptr) {
    bell_.sleep_on_both(peers->bell, limit, needed);
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
  // Asked after the count was left: see Scheduler::submit().
  const bool stay = work_elsewhere();
  while (!stay && !revived_.exchange(false, std::memory_order_acquire) && !scheduler_.stopping() && !has_work()) {
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

// ---- Ready strands.

void Executor::push_strand(Strand* strand) {
  std::lock_guard lock(lock_);
  empty_inbox();  // they were there first
  append(strand);
}

void Executor::empty_inbox() {
  while (Strand* strand = inbox_.front()) {
    strand->prefetch_from(0);  // for its turn, behind those ahead of it
    append(strand);
    inbox_.drop_front();  // afterwards, so that has_work() is true all the time
  }
}

void Executor::append(Strand* strand) {
  const uint8_t priority = strand->priority();  // once: it may change any time
  StrandQueue& queue = ready_[priority];
  strand->next_ready = nullptr;
  if (queue.last == nullptr) {
    queue.first = strand;
  } else {
    queue.last->next_ready = strand;
  }
  queue.last = strand;
  set_bits(ready_bits_.load(std::memory_order_relaxed) | 1u << priority);
}

uint8_t Executor::highest_ready() {
  if (inbox_.any()) {
    std::lock_guard lock(lock_);
    empty_inbox();
  }
  return highest_priority(ready_bits_.load(std::memory_order_relaxed));
}

Strand* Executor::pop_strand(uint8_t at_least) {
  if ((ready_bits_.load(std::memory_order_relaxed) & 0xFF) == 0) {
    return nullptr;
  }
  std::lock_guard lock(lock_);
  return pop_locked(at_least);
}

Strand* Executor::pop_locked(uint8_t at_least) {
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

Strand* Executor::steal_strand() {
  std::lock_guard lock(lock_);
  empty_inbox();
  // A searcher that finds a slot emptied here relies on what lies behind it being found as well: see Scheduler::submit(). So
  // the look at the next slot comes after that.
  store_load_fence();
  empty_inbox();
  return pop_locked(Strand::kPriorities);
}

}  // namespace canopy
