// The part of Executor that runs strands, their tasks, and the blocks of kernels.
#include "runtime/device/executor.h"

#include "runtime/base/clock.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/dma.h"
#include "runtime/device/dma_scope.h"
#include "runtime/device/drop_orders.h"
#include "runtime/device/gate.h"
#include "runtime/device/guarded_access.h"
#include "runtime/device/memory_watch.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/timed_event_wait.h"

#include <mutex>
#include <string>
#include <utility>

namespace canopy {
namespace {

constexpr uint32_t kRotateTasks = 64;
constexpr uint64_t kRotateNs = 100'000;

// Of a copy or fill: run(), unless its memory was freed since it was queued; then the task has failed.
template <class Body, class Run>
void touch(Strand& strand, const Body& body, const void* src, Run&& run) {
  TouchScope use(body.watch, body.frees, {body.dst, body.bytes, src, body.bytes});
  if (use.allowed()) [[likely]] {
    run();
  } else {
    strand.record_error(kCopyFault, std::move(use.why()));
  }
}

struct ValueWait {
  const Sqe* sqe;
  Strand* strand;
  uint64_t frees;  // of those before, none was the word's
};

// Whether the word's memory is there still; if not, the task has failed, and says that it was a value's.
bool word_is_there(Strand& strand, const Sqe::Body::Value& value, bool writes, uint64_t* frees) {
  if (value.watch == nullptr || value.watch->unchanged_since(*frees)) [[likely]] {
    return true;
  }
  const uint64_t now = value.watch->frees();
  constexpr uint64_t kBytes = sizeof(uint64_t);
  const std::string why = value.watch->refuse(writes ? TouchedRanges{value.address, kBytes, nullptr, 0}
                                                     : TouchedRanges{nullptr, 0, value.address, kBytes});
  if (why.empty()) {
    *frees = now;
    return true;
  }
  strand.record_error(kCopyFault, fmt::format("a value in memory is to be written or waited for: {}", why));
  return false;
}

// Polled: any agent may store the word. A wait that is to be left is over, too, and one that has failed.
int value_reached(void* argument) {
  auto& [sqe, strand, frees] = *static_cast<ValueWait*>(argument);
  if (strand->scheduler().attention() != 0 && strand->drops_head()) [[unlikely]] {
    return 1;
  }
  const auto& wait = sqe->body.value;
  if (!word_is_there(*strand, wait, false, &frees)) {
    return 1;
  }
  uint64_t word = 0;
  if (!load_if_there(wait.address, &word)) {  // freed since the look above
    if (word_is_there(*strand, wait, false, &frees)) {
      strand->record_error(kCopyFault, fmt::format("the word at {} cannot be read", fmt::ptr(wait.address)));
    }
    return 1;
  }
  switch (wait.test) {
    case ValueTest::at_least: return static_cast<int64_t>(word - wait.value) >= 0;
    case ValueTest::equal: return word == wait.value;
    case ValueTest::some_bits: return (word & wait.value) != 0;
    case ValueTest::some_zero: return ~(word | wait.value) != 0;
  }
  return 1;
}

// For debuggers; reports read the entry.
WordFacts facts_of(const Sqe::Body::Value& value) {
  constexpr WordTest kTests[] = {WordTest::at_least, WordTest::equal, WordTest::some_bits, WordTest::some_zero};
  return {value.address, value.value, sizeof(uint64_t), kTests[static_cast<size_t>(value.test)]};
}

}  // namespace

// ---- Strands.

bool Executor::should_rotate(const Strand& strand, uint32_t* budget, uint64_t* started) {
  if (highest_ready() < strand.priority() || --*budget == 0) {
    return true;
  }
  const uint64_t now = TickScale::to_ns(ticks());
  if (*started == 0) {
    *started = now;  // others wait from here on
  }
  return now - *started > kRotateNs;
}

// What streams do most lies in run_strand()'s own code.
inline bool Executor::run_task(Executor*& self, Strand* strand, Sqe* sqe) {
  switch (sqe->kind) {
    case SqeKind::kernel:
      self->note_waiting_work();
      return start_kernel(self, strand, sqe);
    case SqeKind::event_record: {
      EventCell* cell = sqe->body.event.cell;
      const uintptr_t waiters = cell->finish(sqe->timed != 0);
      uint64_t shares_over = EventCell::kRecord;  // and those of the waits that are over with it
      if (EventCell::is_one_strand(waiters)) {
        shares_over += EventCell::kWait;
        self->take_waiter(EventCell::one_strand(waiters), strand->goes_on());
      } else if (waiters != 0) {
        shares_over += self->take_waiters(*strand, waiters);
      }
      cell->drop_shares(shares_over);
      return true;
    }
    case SqeKind::event_wait: {
      EventCell* cell = sqe->body.event.cell;
      strand->prefetch();  // now: afterwards it is another's, on another core perhaps
      if (cell->add_waiter(strand)) {
        self->scheduler_.note_parked();
        return false;  // whoever completes the cell resumes the strand behind this entry
      }
      cell->note_failure(*strand, sqe->body.event.id);
      cell->drop_shares(EventCell::kWait);
      return true;
    }
    default:
      return run_rare_task(self, strand, sqe);
  }
}

void Executor::run_strand(Strand* strand) {
  uint32_t budget = kRotateTasks;
  uint64_t started = 0;
  bool called_for_help = false;
  Executor* self = current();
  for (;;) {
    if (!self->spare_ && strand->home() != self->index_) {
      strand->set_home(self->index_);
    }
    if (self->scheduler_.attention() != 0) [[unlikely]] {
      if (self->scheduler_.halted() || !drop_heads(*self, strand)) {
        return;
      }
    }
    const bool was_over = strand->head_is_over;
    if (was_over) {
      strand->head_is_over = false;
    } else if (!run_task(self, strand, strand->front())) {
      strand = self->next_in_hand();
      if (strand == nullptr) {
        return;
      }
      started = 0;
      called_for_help = false;
      continue;
    }
    if (!strand->retire()) {
      return;
    }
    self->count_progress();
    if (self->woken_.strand != nullptr && !is_wait(strand->front()->kind)) {
      // This stream goes on, so the one it made ready goes where others find it. (A wait probably
      // ends this stream's turn, and then the other runs next, here.)
      self->scheduler_.submit(std::exchange(self->woken_, {}), true);
    }
    if (was_over) {
      continue;  // others had their turn just before; and a line that a peer has just written is not waited for here
    }
    const bool others_could = self->has_work() || self->scheduler_.has_open_launches();
    // Peers' news and polled waits are the loop's, which this stream must not keep from its turn.
    if (others_could || self->has_polls() || self->scheduler_.peer_news_.any()) [[unlikely]] {
      if (others_could && !called_for_help) {
        // Others' work waits behind this stream: somebody asleep should take it.
        called_for_help = true;
        self->scheduler_.wake_one_sleeper();
      }
      if (self->should_rotate(*strand, &budget, &started)) {
        self->loops_since_news_ = kLoopsPerNews;  // looked at with the next turn, whatever is in hand then
        self->push_strand(strand);
        return;
      }
    } else {
      started = 0;  // whatever comes next waits anew, and calls for help anew
      called_for_help = false;
    }
  }
}

bool Executor::drop_heads(Executor& self, Strand* strand) {
  while (strand->drops_head()) {
    if (!std::exchange(strand->head_is_over, false)) {  // a wait that is over has given its share back
      const bool record = strand->front()->kind == SqeKind::event_record;
      drop_task(*strand, *strand->front());
      if (record) {
        self.scheduler_.orders().ask_for_chase();  // for streams that leave lost waits
      }
    }
    self.count_progress();
    if (!strand->retire()) {
      return false;
    }
  }
  return true;
}

bool Executor::run_rare_task(Executor*& self, Strand* strand, Sqe* sqe) {
  switch (sqe->kind) {
    case SqeKind::copy: {
      self->give_core_back();
      TraceScope span("copy", strand->device().device(), strand->device().dma_track(), -1);
      const auto& copy = sqe->body.copy;
      const DmaScope busy(strand->device(), copy.bytes);
      touch(*strand, copy, copy.src, [&] { copy_bytes(copy.dst, copy.src, copy.bytes); });
      return true;
    }
    case SqeKind::fill: {
      self->give_core_back();
      TraceScope span("fill", strand->device().device(), strand->device().dma_track(), -1);
      const auto& fill = sqe->body.fill;
      const DmaScope busy(strand->device(), fill.bytes);
      touch(*strand, fill, nullptr, [&] { fill_bytes(fill.dst, fill.value, fill.bytes); });
      return true;
    }
    case SqeKind::timed_event_wait:
      if (sqe->body.timed_event.wait->begin(strand)) {
        return true;
      }
      self->scheduler_.note_parked();
      return false;
    case SqeKind::notify_record: {
      NotifyCell* cell = sqe->body.notify_record.cell;
      self->take_waiters(*strand, reinterpret_cast<uintptr_t>(
                                      cell->record(sqe->body.notify_record.change, sqe->body.notify_record.value)));
      cell->drop_reference();
      return true;
    }
    case SqeKind::notify_wait: {
      Strand* over = nullptr;
      strand->prefetch();  // as with events
      if (!sqe->body.notify_wait.cell->wait(strand, &over)) {
        self->scheduler_.note_parked();
        return false;  // as with events
      }
      self->take_waiters(*strand, reinterpret_cast<uintptr_t>(over));
      return true;
    }
    case SqeKind::value_write: {
      const auto& write = sqe->body.value;
      if (uint64_t frees = write.frees; word_is_there(*strand, write, true, &frees)) [[likely]] {
        // Release: whoever sees the value sees what the stream did before; pairs with value_reached().
        if (!store_if_there(write.address, write.value)) [[unlikely]] {
          if (word_is_there(*strand, write, true, &frees)) {
            strand->record_error(kCopyFault, fmt::format("the word at {} cannot be written", fmt::ptr(write.address)));
          }
        }
        self->scheduler_.ring_pollers();
      }
      return true;
    }
    case SqeKind::event_clear:
      sqe->body.event.cell->clear();
      sqe->body.event.cell->drop_reference();
      return true;
    case SqeKind::step:
      sqe->body.step.function(*strand, sqe->body.step.argument, false);
      return true;
    case SqeKind::gate: {
      Scheduler& scheduler = self->scheduler_;
      if (sqe->body.gate->enter(*strand)) {
        return true;
      }
      scheduler.note_parked();
      return false;  // whoever has the strand now gives it back
    }
    case SqeKind::value_wait: {
      ValueWait wait{sqe, strand, sqe->body.value.frees};
      if (value_reached(&wait) == 0) {
        self->give_core_back();
        self->running_->stream = strand->stream_id();
        park_polling(&value_reached, &wait, "a value in memory", facts_of(sqe->body.value));
        self = current();
      }
      return true;
    }
    case SqeKind::call: {
      self->note_waiting_work();
      self->give_core_back();
      const auto call = sqe->body.call;
      TraceScope span(call.what, strand->device().device(), strand->device().dma_track(), -1);
      call_on_thread_stack(call.function, call.argument);
      self = current();
      return true;
    }
    case SqeKind::kernel:
    case SqeKind::event_record:
    case SqeKind::event_wait:
      break;  // see run_task()
  }
  return true;
}

// One waiter is kept aside, without any lock, unless it is known that the recording stream goes on: if that has nothing
// more to do, the waiter runs next, here.
uint64_t Executor::take_waiters(const Strand& for_whom, uintptr_t waiters) {
  uint64_t shares_over = 0;
  const bool goes_on = for_whom.goes_on();
  while (waiters != 0) {
    const Woken woken = EventCell::next_woken(&waiters, &shares_over);
    if (woken.strand != nullptr) [[likely]] {
      take_waiter(woken, goes_on);
    }
  }
  return shares_over;
}

void Executor::submit_elsewhere(Woken woken) { scheduler_.submit(woken, true); }

void Executor::call_for_cores() {
  store_load_fence();  // as in Scheduler::submit()
  if (scheduler_.has_open_launches()) {
    scheduler_.wake_one_sleeper();
  }
}

// A stream that waits has often just made another one ready. Unless somebody else waits for a turn, that
// one goes on here at once.
Strand* Executor::next_in_hand() {
  if (woken_.strand == nullptr || resume_strand_ != nullptr || has_work() || has_polls() || scheduler_.has_open_launches() ||
      scheduler_.halted()) {
    return nullptr;
  }
  count_progress();
  return take_woken();
}

// ---- Kernels.

bool Executor::start_kernel(Executor*& self, Strand* strand, Sqe* sqe) {
  Launch& launch = strand->launch();
  launch.strand = strand;
  launch.image = sqe->body.kernel.image;
  launch.entry = sqe->body.kernel.entry;
  launch.args = sqe->body.kernel.args != nullptr ? sqe->body.kernel.args : sqe->body.kernel.inline_args;
  launch.kind = static_cast<CoreKind>(sqe->core_kind);
  launch.blocks = sqe->blocks;
  launch.options = nullptr;
  uint32_t first_block = 0;
  if ((sqe->launch & Sqe::kWithOptions) != 0) [[unlikely]] {
    launch.options = sqe->body.kernel.options;
    first_block = launch.options->first_block;
  }
  if (launch.flags_used.load(std::memory_order_relaxed)) [[unlikely]] {
    launch.flags_used.store(false, std::memory_order_relaxed);
    for (auto& flag : launch.flags) {
      flag.store(0, std::memory_order_relaxed);
    }
  }
  if (launch.failed.load(std::memory_order_relaxed)) [[unlikely]] {
    launch.failed.store(false, std::memory_order_relaxed);
  }
  if (launch.options != nullptr && launch.options->limit_us != 0) [[unlikely]] {
    self->scheduler_.begin_limit(launch);
  }
  if ((sqe->launch & Sqe::kOnAiCpu) != 0) [[unlikely]] {
    launch.next_block = first_block;
    launch.end_block = first_block + sqe->blocks;
    strand->device().aicpu().open(&launch);
    return false;  // the engine's last block retires the task
  }
  if (sqe->blocks == 1) {
    CorePool& cores = strand->device().pool(launch.kind);
    if (self->cores_.keeps_other_than(cores)) [[unlikely]] {
      self->give_core_back();
    }
    const int core = self->cores_.take(cores);
    if (core >= 0) [[likely]] {
      // Runs where it was picked up; nobody else needs to know of it.
      Block block;
      block.launch = &launch;
      block.index = first_block;
      block.core = core;
      launch.next_block = first_block + 1;
      launch.ended.store(0, std::memory_order_relaxed);
      if (const Sqe* second = strand->second(); second != nullptr) {  // who waits for it has had it last
        if (second->kind == SqeKind::event_record) {
          prefetch_for_write(second->body.event.cell);
        } else if (second->kind == SqeKind::notify_record) {
          second->body.notify_record.cell->prefetch_record();
        }
      }
      self = run_entry(*self, block);
      self->release_core(block);
      end_launch(launch);
      return true;
    }
  }
  launch.next_block = first_block;
  launch.end_block = first_block + sqe->blocks;
  launch.ended.store(0, std::memory_order_relaxed);
  launch.arrived.store(0, std::memory_order_relaxed);
  self->scheduler_.open_launch(strand->device(), &launch);
  return false;
}

void Executor::run_block(const BlockClaim& claim) {
  Block block;
  block.launch = claim.launch;
  block.index = claim.index;
  block.core = claim.core;
  run_entry(*current(), block);
  if (Strand* strand = end_block(block)) {
    run_strand(strand);
  }
}

Executor* Executor::run_entry(Executor& before, Block& block) {
  const Launch& launch = *block.launch;
  // Relaxed: a block that starts all the same is ended at its next wait, or interrupted.
  if (launch.failed.load(std::memory_order_relaxed) || before.scheduler_.ends_early(launch)) [[unlikely]] {
    return &before;
  }
  block.entry_stack = reinterpret_cast<uintptr_t>(&block);  // it is read when the block has been left
  before.running_->block = &block;
  before.note_launch(&launch);
  try {
    if (TraceBuffer::observed()) [[unlikely]] {
      run_observed(block);
    } else {
      launch.entry(launch.args);
    }
  } catch (...) {
    if (ends_thread()) [[unlikely]] {
      fail_block(DeviceFault::trap, kEndsThread);
    }
    block.is_over = true;
    fail_for_exception(*block.launch, block);
  }
  Executor* after = current();
  after->running_->block = nullptr;
  after->note_launch(nullptr);
  // In this order: pairs with the membarrier of Scheduler::interrupt_failed_blocks().
  compiler_barrier();
  if (launch.failed.load(std::memory_order_relaxed) || after->scheduler_.ends_early(launch)) [[unlikely]] {
    after->scheduler_.wait_for_interrupts();
  }
  return after;
}

Strand* Executor::end_block(Block& block) {
  Launch& launch = *block.launch;
  Strand* strand = launch.strand;
  const uint32_t blocks = launch.blocks;
  current()->release_core(block);
  // acq_rel: the block's effects are visible to whoever ends the last one. After this the launch
  // may be gone, unless this was the last block.
  if (launch.ended.fetch_add(1, std::memory_order_acq_rel) + 1 != blocks) {
    return nullptr;
  }
  end_launch(launch);
  return strand->retire() ? strand : nullptr;
}

// All blocks have ended; the task has not completed yet.
void Executor::end_launch(Launch& launch) {
  // Relaxed: a limit that passes now is waited for (settle()), and the blocks' own failures came before their end.
  if (launch.limited || launch.failed.load(std::memory_order_relaxed)) [[unlikely]] {
    launch.strand->scheduler().settle(launch);
  }
}

}  // namespace canopy
