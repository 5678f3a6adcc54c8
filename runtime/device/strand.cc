#include "runtime/device/strand.h"

#include "runtime/device/executor.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/stored_task.h"
#include "runtime/device/task_fault.h"

#include <cstdlib>
#include <mutex>
#include <utility>

namespace canopy {
namespace {

constexpr uint32_t kSmallBatch = 64;
constexpr uint32_t kPatience = 64;   // so many small batches in a row
constexpr int kLingerPauses = 16;    // 1 us

}  // namespace

Strand::Strand(Scheduler& scheduler, DeviceCores& device, int32_t stream_id, uint8_t priority, bool stored,
               uint32_t ring_entries)
    : scheduler_(scheduler),
      device_(device),
      stream_id_(stream_id),
      priority_(priority),
      stored_(stored),
      ring_(ring_entries) {
  if (stored) {
    // A task that never ends: no producer is the one that hands the strand over.
    pending_.store(1, std::memory_order_relaxed);
    return;  // its tasks wait for nobody
  }
  note_.strand = this;
  note_.entries = &ring_.at(0);
  note_.submitted = &submitted_;
  note_.completed = &completed_;
  note_.mask = ring_entries - 1;
  note_.device = device.device();
  note_.stream = stream_id;
  add_note(&note_);
}

Strand::~Strand() {
  if (!stored_) {
    remove_note(&note_);
  }
}

void Strand::publish() {
  ring_.publish();
  // Relaxed: only this side writes it; readers want their own submissions only.
  submitted_.store(submitted_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // Release: the entry is visible to the owner; acquire: when the strand was idle, its last owner is
  // through with it. Pairs with retire().
  if (pending_.fetch_add(1, std::memory_order_acq_rel) == 0) {
    scheduler_.submit({this, producers_home_}, false);
  }
}

void Strand::publish_appended(uint32_t tasks) {
  // As publish().
  if (pending_.fetch_add(tasks, std::memory_order_acq_rel) == 0) {
    scheduler_.submit({this, producers_home_}, false);
  }
}

bool Strand::ask_for(uint64_t target, uint64_t now) {
  uint64_t seen = ring_at_.load(std::memory_order_relaxed);
  // Replace what has passed, and what is later than we need. Sleepers share the bell: whoever is
  // woken too early asks again.
  while (seen <= now || seen > target) {
    // seq_cst: before the look at completed_ below.
    if (ring_at_.compare_exchange_weak(seen, target, std::memory_order_seq_cst,
                                       std::memory_order_relaxed)) {
      break;
    }
  }
  return completed() >= target;
}

void Strand::record_error(int32_t code, std::string sentence) { record_error(code, std::move(sentence), true); }

void Strand::record_error_from_outside(int32_t code, std::string sentence) { record_error(code, std::move(sentence), false); }

void Strand::record_error(int32_t code, std::string sentence, bool head_is_ours) {
  if (stored_) {
    std::lock_guard lock(error_lock_);
    if (replayer_ != nullptr) {
      replayer_->record_error(code, std::move(sentence), head_is_ours);
    }
    return;
  }
  if (drops_head()) {
    return;  // whoever dropped it wants it gone
  }
  if (FailureSink* sink = sink_.load(std::memory_order_acquire)) {
    sink->task_failed(*this, code, sentence);
  }
  if (FaultSink* sink = fault_sink()) {
    tell_of_fault(*sink, code, head_is_ours ? front() : nullptr);
  }
  keep_error(code, std::move(sentence));
}

void Strand::adopt_error(int32_t code, std::string sentence) {
  if (!drops_head()) {
    keep_error(code, std::move(sentence));
  }
}

void Strand::keep_error(int32_t code, std::string sentence) {
  std::lock_guard lock(error_lock_);
  if (error_.load(std::memory_order_relaxed) == 0) {
    error_sentence_ = std::move(sentence);
    error_.store(code, std::memory_order_release);
  }
}

void Strand::tell_of_fault(FaultSink& sink, int32_t code, const Sqe* head) {
  TaskFault fault;
  fault.code = code;
  fault.device = device_.device();
  fault.stream = stream_id_;
  fault.task = completed() + number_offset_;
  fault.submitter = head != nullptr ? head->submitter : 0;
  if (head != nullptr && head->kind == SqeKind::kernel) {
    const Sqe& sqe = *head;
    const auto& kernel = sqe.body.kernel;
    fault.image = kernel.image;
    fault.args_bytes = kernel.image->args_bytes;
    const bool lies_in_queue = kernel.args == nullptr || sqe.args_end != 0 || sqe.heap_args != nullptr;
    if (lies_in_queue) {
      const auto* args = kernel.args != nullptr ? static_cast<const std::byte*>(kernel.args) : kernel.inline_args;
      fault.own_args.assign(args, args + kernel.image->args_bytes);
    } else {
      fault.args = kernel.args;
    }
  }
  sink.task_failed(std::move(fault));
}

int32_t Strand::take_error_slow(std::string* sentence) {
  std::lock_guard lock(error_lock_);
  if (sentence != nullptr) {
    *sentence = std::move(error_sentence_);
  }
  error_sentence_.clear();
  return error_.exchange(0, std::memory_order_acq_rel);
}

void Strand::discard_stored() {
  std::lock_guard lock(producer_lock_);
  for (uint64_t left = submitted() - completed(); left != 0; --left) {
    drop_kept_task(*front());
    retire();
  }
  // What retire() has seen of pending_ is more than it took off it: the task that never ends stays.
  pending_.fetch_sub(taken_ - batch_, std::memory_order_relaxed);
  batch_ = taken_ = 0;
}

void Strand::free_arguments(const Sqe& sqe) {
  if (sqe.args_end != 0) {
    args_.free_to(sqe.args_end);
  }
  std::free(sqe.heap_args);
}

// An owner as fast as the producer ends each batch after a task or two, and both count in `pending_` for every task:
// 150 ns each, most of them for its line on its way. Where that goes on, the owner lets the producer get ahead first.
// (2026-11, tasks of one stream: 9.9 million/s instead of 6.9.) What has completed can be seen meanwhile.
void Strand::linger() {
  if (taken_ > kSmallBatch) {
    small_batches_ = 0;
    return;
  }
  if (++small_batches_ < kPatience) [[likely]] {
    return;
  }
  const Executor* self = Executor::current();
  if (self == nullptr) {
    return;  // not every agent that retires tasks runs strands
  }
  for (int i = 0; i < kLingerPauses && !self->has_work(); ++i) {
    cpu_relax();
  }
  // Relaxed: end_batch() asks again. One task or none: a producer that waits for each.
  if (pending_.load(std::memory_order_relaxed) - taken_ < 2) {
    small_batches_ = 0;
  }
}

bool Strand::end_batch() {
  const uint32_t taken = taken_;
  linger();
  // Release: everything this owner wrote into the strand; acquire: entries published meanwhile.
  const uint32_t left = pending_.fetch_sub(taken, std::memory_order_acq_rel) - taken;
  if (left == 0) {
    return false;  // from here on the strand belongs to the producer
  }
  batch_ = taken_ = left;
  return true;
}

}  // namespace canopy
