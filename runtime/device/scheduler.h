// Scheduler: the executors of this process and how work finds them. One per process, made when the
// first device is opened; shared by all devices.
//
// Executors: max(1, cores / local ranks) (CANOPY_EXECUTORS overrides), plus spares. A strand that
// becomes ready goes to the executor that ran it last; idle executors steal. A submitter wakes a
// sleeping executor only if nobody is searching for work. The watchdog sleeps while nothing waits; while
// something does, it looks every 10 ms for executors stuck in one block and starts as many spares, so that kernels may spin
// on plain memory, as on a card where each block has its core.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/device/drop_orders.h"
#include "runtime/device/executor.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/peer_news.h"
#include "runtime/device/wait_timer.h"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy {

class Scheduler {
 public:
  static constexpr uint32_t kMaxDevices = 64;
  static constexpr uint32_t kMaxExecutors = 4096;
  static_assert(kMaxExecutors <= 1u << (64 - EventCell::kHomeShift));

  struct Options {
    uint32_t executors = 0;    // 0: cores / local ranks
    size_t stack_bytes = 0;    // of a block; 0: CANOPY_KERNEL_STACK or 256 KiB
    uint32_t stuck_ms = 10;    // when an executor counts as stuck
  };

  // All executors and the watchdog run, or none does: Errc::limit.
  static Result<std::unique_ptr<Scheduler>> create(Options options);
  // What options.stack_bytes of 0 means.
  static size_t default_stack_bytes();
  // Stops the executors when they have nothing to run. REQUIRES: no strand is pending.
  ~Scheduler();

  // For the end of a process that did not finalize: executors end after the task they are in; those
  // still in one after 2 s are left behind.
  void halt();

  // The scheduler knows a device from then on, and as long as it lives itself.
  void add_device(DeviceCores* device);

  // A strand became ready (any thread); `head_is_over` when the wait at its head has ended.
  void submit(Strand* strand, bool head_is_over = false) {
    submit({strand, strand->home()}, head_is_over);
  }
  void submit(Woken woken, bool head_is_over);
  // The waits of these parked fibers, which are linked, are over (any thread).
  void make_all_ready(Fiber* list);
  // Opens a launch: its blocks may be claimed from now on, and its strand is no longer the caller's.
  void open_launch(DeviceCores& device, Launch* launch);
  bool has_open_launches() const { return open_launches_.load(std::memory_order_relaxed) != 0; }
  bool claim_block(BlockClaim* out, uint8_t at_least, CoreHand& hand);
  bool any_claimable() const;

  // Executors that are not spares: where strands start.
  uint32_t regular_count() const { return regular_; }
  uint32_t executor_count() const { return count_.load(std::memory_order_acquire); }
  Executor& executor(uint32_t i) const { return *executors_[i]; }
  size_t stack_bytes() const { return options_.stack_bytes; }
  bool halted() const { return (attention() & kHalted) != 0; }
  // Not 0 when tasks have to look at something rare: the scheduler is halted, or orders() are out. Acquire: what
  // raised it is visible.
  uint32_t attention() const { return attention_.load(std::memory_order_acquire); }
  // Strands whose tasks are to be dropped.
  DropOrders& orders() { return orders_; }
  // Until nobody is about to interrupt blocks. Signals to the thread that calls it, which has left a block that was to
  // end, have come when it returns.
  void wait_for_interrupts();
  // After a strand was parked in a cell: see DropOrders.
  void note_parked() {
    if (attention() != 0) [[unlikely]] {
      orders_.ask_for_chase();
    }
  }
  // Whether the launch's kernel is to end before its time.
  bool ends_early(const Launch& launch) const {
    return attention() != 0 && launch.strand->drops_head();
  }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  // Limits of streams' waits.
  WaitTimer& wait_timer() { return wait_timer_; }
  // Words that other processes change.
  PeerNews& peer_news() { return peer_news_; }
  // See PeerNews::note_loss(); streams that end may lie in such waits.
  void note_peer_loss() {
    peer_news_.note_loss();
    note_parked();
  }
  // From now on executors hear the bell that other processes ring.
  void listen_to_peers(PeerBell* bell);
  // Wakes every block of the launch that waits in SyncAll.
  void release_waiting(Launch& launch);
  // Fails the launch's task, unless it has failed, and sees to it that the blocks that have started end and no
  // others start. Any thread. REQUIRES: a block of it runs on this thread, or the launch's limit fires.
  void fail_launch(Launch& launch, int32_t code, std::string sentence);
  // The limit of the launch's task begins. REQUIRES of both: the caller owns the strand.
  void begin_limit(Launch& launch);
  // All blocks have ended, some because the launch failed, or it has a limit.
  void settle(Launch& launch);
  // Has executors that sleep beside polled waits look again: a stream has stored something.
  void ring_pollers();

 private:
  explicit Scheduler(Options options);
  Result<> start();
  void make_ready(Fiber* first, Fiber* last);
  friend class Executor;
  friend class DropOrders;
  static constexpr uint32_t kHalted = 1u << 31;
  void raise_attention() { attention_.fetch_add(1, std::memory_order_acq_rel); }
  void lower_attention() { attention_.fetch_sub(1, std::memory_order_release); }
  void ring_watchdog() { watchdog_bell_.ring(BellScope::process); }
  // Gets an executor to look for work, unless one does already: wakes a sleeping one, or arms the
  // watchdog when all are busy.
  void wake_one_sleeper();
  void arm_watchdog();
  void watchdog_main();
  // One look. `last_progress` of each executor: of the look before.
  void watch(std::vector<uint64_t>* last_progress);
  std::chrono::milliseconds tick() const { return std::chrono::milliseconds(options_.stuck_ms); }
  void end_limit(Launch& launch);
  void interrupt_failed_blocks();
  bool work_waits() const;
  void relieve(const std::vector<Executor*>& stuck);
  Result<Executor*> add_spare();
  Strand* steal_for(const Executor& thief);
  bool can_steal(const Executor& thief) const;
  void ring(Executor& executor);

  Options options_;
  uint32_t regular_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> attention_{0};  // kHalted, and the number of orders
  std::atomic<uint32_t> running_threads_{0};
  std::atomic<uint32_t> count_{0};
  // Executors that look for work now; while there is one, submitters need not wake anybody.
  alignas(kCacheLine) std::atomic<uint32_t> searching_{0};
  std::atomic<uint32_t> sleeping_{0};
  // Read with every task, and so not beside what changes with every search.
  alignas(kCacheLine) std::atomic<uint32_t> open_launches_{0};
  std::array<std::atomic<DeviceCores*>, kMaxDevices> devices_{};
  std::unique_ptr<std::unique_ptr<Executor>[]> executors_;

  alignas(kCacheLine) std::atomic<bool> watchdog_armed_{false};
  std::atomic<uint32_t> failing_{0};  // failed launches with blocks that have not ended
  std::mutex ending_mutex_;           // held while blocks are interrupted
  std::vector<const Launch*> ending_;  // these launches; guarded by ending_mutex_
  Doorbell watchdog_bell_;
  bool told_of_no_spare_ = false;  // the watchdog's
  std::jthread watchdog_;
  PeerNews peer_news_;
  WaitTimer wait_timer_;
  DropOrders orders_{*this};
};

}  // namespace canopy
