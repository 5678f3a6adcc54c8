#include "runtime/device/scheduler.h"

#include "runtime/base/check.h"
#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/remote_bell.h"
#include "runtime/device/fault_handler.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <new>
#include <utility>

namespace canopy {
namespace {

Scheduler::Options with_defaults(Scheduler::Options options) {
  if (options.executors == 0) {
    const int share = std::max(1, usable_cores() / env::local_ranks());
    options.executors = static_cast<uint32_t>(
        std::max<int64_t>(1, env::integer("CANOPY_EXECUTORS").value_or(share)));
  }
  if (options.stack_bytes == 0) {
    options.stack_bytes = Scheduler::default_stack_bytes();
  }
  options.stack_bytes = std::max<size_t>(options.stack_bytes, 32 << 10);
  return options;
}

// The process's, not the scheduler's: waits of host threads use it as well, and it may be set before any
// device is open.
std::atomic<Doorbell*> g_remote_bell{nullptr};

}  // namespace

size_t Scheduler::default_stack_bytes() { return env::bytes("CANOPY_KERNEL_STACK").value_or(256 << 10); }

void set_remote_bell(Doorbell* bell) {
  // acq_rel: pairs with remote_bell().
  Doorbell* before = g_remote_bell.exchange(bell, std::memory_order_acq_rel);
  if (before != nullptr) {
    before->ring(BellScope::host);  // nobody may go on sleeping on a bell that goes away
  }
}

Doorbell* remote_bell() { return g_remote_bell.load(std::memory_order_acquire); }

Scheduler::Scheduler(Options options)
    : options_(with_defaults(options)),
      executors_(new std::unique_ptr<Executor>[kMaxExecutors]) {
  install_fault_handlers();
  regular_ = std::min(options_.executors, kMaxExecutors);
  for (uint32_t i = 0; i < regular_; ++i) {
    executors_[i] = std::make_unique<Executor>(*this, i, false);
  }
  // Release: the executors are whole before anybody counts them.
  count_.store(regular_, std::memory_order_release);
}

Result<std::unique_ptr<Scheduler>> Scheduler::create(Options options) {
  std::unique_ptr<Scheduler> made(new Scheduler(options));
  CANOPY_TRY(made->start());
  return made;
}

Result<> Scheduler::start() {
  for (uint32_t i = 0; i < regular_; ++i) {
    CANOPY_TRY(executors_[i]->start());
  }
  return start_thread(&watchdog_, "the watchdog of the executors", [this] { watchdog_main(); });
}

Scheduler::~Scheduler() {
  // Release: pairs with stopping().
  stopping_.store(true, std::memory_order_release);
  watchdog_bell_.ring(BellScope::process);
  if (watchdog_.joinable()) {
    watchdog_.join();  // else halt() has done so, or start() did not come so far
  }
  for (uint32_t i = 0; i < executor_count(); ++i) {
    ring(*executors_[i]);
  }
  for (uint32_t i = 0; i < executor_count(); ++i) {
    executors_[i]->join();
  }
  wait_timer_.stop();
  orders_.chase();  // what the watchdog has been asked for when it ended
}

void Scheduler::halt() {
  wait_timer_.stop();
  attention_.fetch_or(kHalted, std::memory_order_acq_rel);
  stopping_.store(true, std::memory_order_release);
  watchdog_bell_.ring(BellScope::process);
  watchdog_.join();  // it may be about to start a spare
  for (uint32_t i = 0; i < executor_count(); ++i) {
    ring(*executors_[i]);
  }
  const WaitEnd end = wait_until([this] { return running_threads_.load(std::memory_order_acquire) == 0; }, nullptr,
                                 BellScope::process, Deadline::after(std::chrono::seconds(2)),
                                 [] { return std::string("executors to end"); });
  for (uint32_t i = 0; end == WaitEnd::ready && i < executor_count(); ++i) {
    executors_[i]->join();
  }
}

void Scheduler::add_device(DeviceCores* device) {
  devices_[static_cast<size_t>(device->device())].store(device, std::memory_order_release);
}

void Scheduler::listen_to_peers(PeerBell* bell) {
  if (!peer_news_.listen(bell)) {
    return;
  }
  for (uint32_t i = 0; i < executor_count(); ++i) {
    ring(*executors_[i]);  // who sleeps, sleeps on its own bell only
  }
}

void Scheduler::ring(Executor& executor) {
  executor.bell().ring(BellScope::process);
  // An executor with polled waits sleeps on the bell that peers ring.
  if (Doorbell* remote = remote_bell()) {
    remote->ring(BellScope::host);
  }
}

// The order that keeps a strand from being forgotten: it is in a queue, then a full fence, then
// `searching_` is read. Whoever was counted in searching_ scans all queues after
// it has left the count, and so sees the strand; whoever is not, is rung.
void Scheduler::submit(Woken woken, bool head_is_over) {
  Strand* strand = woken.strand;
  Executor* home = executors_[woken.home].get();
  if (home->offer(strand, head_is_over)) {
    return;
  }
  if (head_is_over) {
    strand->head_is_over = true;
  }
  Executor* self = Executor::current();
  if (self != nullptr && home != self && home->state() != Executor::State::searching) {
    // An executor keeps what it made ready, unless the usual one is awake with nothing to do: it is
    // warm here, and run_strand() calls for help before it goes on with more of its own.
    home = self;
  }
  if (home == self) {
    home->push_strand(strand);
    if (self->block() != nullptr) [[unlikely]] {
      arm_watchdog();  // as in make_ready()
    }
    return;
  }
  home->accept_strand(strand);
  store_load_fence();
  // Read after the fence: an executor that leaves its search for something else either sees the strand
  // then, or is seen running here.
  if (home->state() == Executor::State::searching) {
    ring(*home);  // it may be about to sleep
    return;
  }
  if (searching_.load(std::memory_order_seq_cst) != 0) {
    return;
  }
  ring(*home);
  if (home->state() == Executor::State::running) {
    wake_one_sleeper();
  }
}

void Scheduler::make_ready(Fiber* first, Fiber* last) {
  Executor* owner = first->owner;
  owner->push_fibers(first, last);
  if (owner != Executor::current()) {
    ring(*owner);
  }
  if (owner->state() == Executor::State::running) {
    arm_watchdog();  // the owner may be inside a block that never yields; it may be the one that has made these ready
  }
}

void Scheduler::release_waiting(Launch& launch) {
  // seq_cst: see canopy_sync_all(), whose blocks enter the list and then look at what may end them.
  make_all_ready(launch.waiting.exchange(nullptr, std::memory_order_seq_cst));
}

// Those of one executor that lie side by side go together: on few executors that is nearly all of a launch's blocks.
void Scheduler::make_all_ready(Fiber* list) {
  while (list != nullptr) {
    Fiber* last = list;
    while (last->next != nullptr && last->next->owner == list->owner) {
      last = last->next;
    }
    Fiber* rest = last->next;
    make_ready(std::exchange(list, rest), last);
  }
}

void Scheduler::open_launch(DeviceCores& device, Launch* launch) {
  const uint32_t blocks = launch->blocks;
  open_launches_.fetch_add(1, std::memory_order_relaxed);
  device.open(launch);
  store_load_fence();  // as in submit()
  if (blocks > 1) {
    wake_one_sleeper();
  }
}

void Scheduler::ring_pollers() {
  // Between the caller's store and the look at who sleeps; an executor counts its polled waits and says
  // that it sleeps before it looks at what they wait for.
  store_load_fence();
  const uint32_t count = executor_count();
  for (uint32_t i = 0; i < count; ++i) {
    if (executors_[i]->has_polls() && executors_[i]->state() == Executor::State::sleeping) {
      ring(*executors_[i]);
    }
  }
}

bool Scheduler::claim_block(BlockClaim* out, uint8_t at_least, CoreHand& hand) {
  if (!has_open_launches()) {
    return false;
  }
  for (auto& slot : devices_) {
    DeviceCores* device = slot.load(std::memory_order_acquire);
    bool last = false;
    if (device != nullptr && device->has_open() && device->claim(out, at_least, hand, &last)) {
      if (last) {
        open_launches_.fetch_sub(1, std::memory_order_relaxed);
      }
      return true;
    }
  }
  return false;
}

bool Scheduler::any_claimable() const {
  for (auto& slot : devices_) {
    DeviceCores* device = slot.load(std::memory_order_acquire);
    if (device != nullptr && device->has_open() && device->claimable()) {
      return true;
    }
  }
  return false;
}

// Only from executors that are busy or asleep: one that is searching takes its own at once.
bool Scheduler::can_steal(const Executor& thief) const {
  const uint32_t count = executor_count();
  for (uint32_t i = 0; i < count; ++i) {
    const Executor& victim = *executors_[i];
    if (&victim != &thief && victim.has_strands() && victim.state() != Executor::State::searching) {
      return true;
    }
  }
  return false;
}

Strand* Scheduler::steal_for(const Executor& thief) {
  const uint32_t count = executor_count();
  for (uint32_t i = 1; i < count; ++i) {
    Executor& victim = *executors_[(thief.index() + i) % count];
    if (victim.has_strands() && victim.state() != Executor::State::searching) {
      if (Strand* strand = victim.steal_strand()) {
        return strand;
      }
    }
  }
  return nullptr;
}

void Scheduler::wake_one_sleeper() {
  if (searching_.load(std::memory_order_seq_cst) != 0) {
    return;
  }
  if (sleeping_.load(std::memory_order_seq_cst) != 0) {
    const uint32_t count = executor_count();
    for (uint32_t i = 0; i < count; ++i) {
      if (executors_[i]->state() == Executor::State::sleeping) {
        ring(*executors_[i]);
        return;
      }
    }
  }
  arm_watchdog();
}

// ---- The watchdog.

void Scheduler::arm_watchdog() {
  if (!watchdog_armed_.load(std::memory_order_relaxed) &&
      !watchdog_armed_.exchange(true, std::memory_order_acq_rel)) {
    watchdog_bell_.ring(BellScope::process);
  }
}

bool Scheduler::work_waits() const {
  if (has_open_launches() && any_claimable()) {
    return true;
  }
  if (peer_news_.any()) {
    return true;
  }
  const bool peers = peer_news_.has_waits();
  const uint32_t count = executor_count();
  for (uint32_t i = 0; i < count; ++i) {
    const Executor& executor = *executors_[i];
    if (peers && executor.state() == Executor::State::running) {
      return true;  // news may come while it does not look
    }
    if (executor.has_work() || (executor.has_polls() && executor.state() == Executor::State::running)) {
      return true;
    }
  }
  return false;
}

void Scheduler::watchdog_main() {
  pthread_setname_np(pthread_self(), "canopy-watchdog");
  std::vector<uint64_t> last;
  while (!stopping()) {
    try {
      watch(&last);
    } catch (const std::bad_alloc&) {
      // The host's memory, or this process's limit of addresses, is used up for now: the next tick looks again.
      watchdog_bell_.sleep(BellScope::process, tick(), [this] { return !stopping(); });
    }
  }
}

void Scheduler::watch(std::vector<uint64_t>* last_progress) {
  std::vector<uint64_t>& last = *last_progress;
  if (orders_.chase_wanted()) {
    orders_.chase();
  }
  if (!watchdog_armed_.load(std::memory_order_acquire)) {
    last.clear();
    watchdog_bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(), [this] {
      return !watchdog_armed_.load(std::memory_order_acquire) && !stopping() && !orders_.chase_wanted();
    });
    return;
  }
  watchdog_bell_.sleep(BellScope::process, tick(), [this] { return !stopping() && !orders_.chase_wanted(); });
  if (orders_.chase_wanted()) {
    return;  // the tick begins anew
  }
  const uint32_t count = executor_count();
  const bool waits = work_waits();
  std::vector<Executor*> stuck;
  last.resize(count, ~0ull);
  for (uint32_t i = 0; i < count; ++i) {
    Executor& executor = *executors_[i];
    const uint64_t now = executor.progress();
    if (executor.state() == Executor::State::running && now == last[i]) {
      stuck.push_back(&executor);
    }
    last[i] = now;
  }
  // Relaxed, here and below: who counts a launch arms the watchdog behind it.
  const bool failing = failing_.load(std::memory_order_relaxed) != 0 || orders_.hold_kernels();
  if (failing) {
    interrupt_failed_blocks();
  }
  if (!waits && !failing) {
    watchdog_armed_.store(false, std::memory_order_release);
    // Work that came between the look and the store armed nothing: look again.
    store_load_fence();
    if (work_waits() || failing_.load(std::memory_order_relaxed) != 0 || orders_.hold_kernels()) {
      arm_watchdog();
    }
    return;
  }
  if (waits && !stuck.empty()) {
    relieve(stuck);
  }
}

void Scheduler::relieve(const std::vector<Executor*>& stuck) {
  std::vector<Executor*> spares;
  const uint32_t count = executor_count();
  for (uint32_t i = regular_; i < count && spares.size() < stuck.size(); ++i) {
    if (executors_[i]->state() == Executor::State::retired) {
      spares.push_back(executors_[i].get());
    }
  }
  while (spares.size() < stuck.size()) {
    const auto spare = add_spare();
    if (!spare) {
      const std::string why = error_text::take_newest();
      if (spares.empty() && !std::exchange(told_of_no_spare_, true)) {
        report(fmt::format("{} executors are stuck in kernels that do not yield, other work waits for them, and no spare "
                           "can be started: {}{}", stuck.size(), why, describe_waits()));
      }
      break;
    }
    spares.push_back(*spare);
  }
  if (spares.empty()) {
    return;  // tried again with the next tick
  }
  told_of_no_spare_ = false;
  for (size_t i = 0; i < stuck.size(); ++i) {
    Executor& spare = *spares[i % spares.size()];
    stuck[i]->hand_over_to(spare);
    ring(*stuck[i]);  // it may have got on meanwhile, and a fiber it was leaving has come back to it
    spare.revive();
  }
}

Result<Executor*> Scheduler::add_spare() {
  const uint32_t index = executor_count();
  if (index == kMaxExecutors) {
    return fail(Errc::limit, "there are {} executors", index);
  }
  executors_[index] = std::make_unique<Executor>(*this, index, true);
  CANOPY_TRY(executors_[index]->start());  // beyond the count nobody sees it, and the next try makes another one
  // Release: pairs with executor_count().
  count_.store(index + 1, std::memory_order_release);
  return executors_[index].get();
}

}  // namespace canopy
