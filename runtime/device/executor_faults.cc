// The part of Executor that ends blocks: those that failed, and those whose launch did.
#include "runtime/device/executor.h"

#include "runtime/base/check.h"
#include "runtime/device/fault_handler.h"
#include "runtime/device/scheduler.h"


#include <string>
#include <utility>

namespace canopy {
void Executor::abandon_block() {
  Executor* self = current();
  Fiber* from = self->running_;
  self->abandoned_ = from;
  Fiber* to = self->pool_.take();
  to->owner = self;
  self->run_next(*to);
  Fiber::switch_to(*from, *to);
  CHECK(false, "an abandoned block must not be resumed");
  __builtin_unreachable();
}

void Executor::reap_abandoned() {
  Fiber* fiber = std::exchange(abandoned_, nullptr);
  Block block = *fiber->block;  // lies on the abandoned stack
  DeviceCores& device = block.launch->strand->device();
  device.clocks().end(device.track(block.launch->kind, block.core));
  scheduler_.wait_for_interrupts();
  fiber->rewind_abandoned(&fiber_main);
  pool_.give(fiber);
  if (Strand* strand = end_block(block)) {
    resume_strand_ = strand;
  }
}

void Executor::fail_block(DeviceFault fault, std::string sentence) {
  {
    Executor* self = current();
    Block& block = *self->block();
    block.is_over = true;
    self->scheduler_.fail_launch(*block.launch, fault_code(fault, block.launch->kind),
                                 fmt::format("{} {}", canopy::describe(block), sentence));
    std::string().swap(sentence);  // nothing is unwound
  }
  abandon_block();
}

RunningBlock Executor::running_block() {
  Executor* self = current();
  if (self == nullptr) {
    return {};
  }
  return {self->running_->block, self->running_, &self->fault_, &Executor::leave_faulted_block};
}

void Executor::leave_faulted_block() {
  Executor* self = current();
  const Fault fault = self->fault_;
  if (fault.signal == kEndBlockSignal) {
    abandon_block();  // another block, or the time limit, has failed the launch
  }
  fail_block(kind_of(fault.signal), canopy::describe(fault, self->running_->stack_bytes()));
}

// REQUIRES: inside the handler of an exception that has left the kernel.
void Executor::fail_for_exception(Launch& launch, const Block& block) {
  const std::string what = describe_thrown();
  DeviceCores& device = launch.strand->device();
  device.clocks().end(device.track(launch.kind, block.core));
  launch.strand->scheduler().fail_launch(launch, fault_code(DeviceFault::trap, launch.kind),
                                         fmt::format("{} threw {}", canopy::describe(block), what));
}

void Executor::interrupt_block() {
  // Relaxed: whoever is missed, or not in kernel code just now, is asked again (Scheduler::watchdog_main()).
  const int thread = thread_id_.load(std::memory_order_relaxed);
  if (thread != 0 && state() == State::running && !in_call_.load(std::memory_order_relaxed)) {
    ask_to_end_block(thread);
  }
}

}  // namespace canopy
