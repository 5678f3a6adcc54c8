// The part of Stream that ends tasks before their time.
#include "runtime/core/stream.h"

#include "runtime/core/context.h"
#include "runtime/core/runtime.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/scheduler.h"

#include <mutex>
#include <string>

namespace canopy {

Result<> Stream::check_aborts(uint32_t before) const {
  if ((before & 1) == 0 && aborts_.load(std::memory_order_acquire) == before) [[likely]] {
    return {};
  }
  const bool of_device = reason_.load(std::memory_order_relaxed) == AbortReason::device;
  if (of_device) {
    CANOPY_TRY(Runtime::instance().device_news().check(strand_.device().device()));
  }
  return fail(of_device ? Errc::device_aborted : Errc::stream_aborted,
              "device {} stream {}: its tasks were aborted while they were waited for",
              strand_.device().device(), id());
}

Result<> Stream::await_dropped(uint64_t ticket, Deadline deadline) {
  const WaitEnd end =
      wait_until([&] { return strand_.reached(ticket); }, &strand_.bell(), BellScope::process,
                 deadline, [&] { return describe_wait(ticket); });
  if (end == WaitEnd::deadline) {
    return fail(Errc::stream_timeout, "the task that is to be aborted does not end: {}",
                describe_wait(ticket));
  }
  return {};
}

void Stream::begin_abort(AbortReason reason) {
  abort_turn_.acquire();
  reason_.store(reason, std::memory_order_relaxed);
  // Odd. Release: the reason; pairs with check_aborts(). Before anything is dropped, so that who
  // sees a task completed for that sees the abort as well.
  aborts_.fetch_add(1, std::memory_order_acq_rel);
  strand_.drop_below(Strand::kDropAll);
  strand_.scheduler().orders().add(&strand_);
  leave_model();
}

// Behind the mark: a run that the strand has not begun to wait for yet sees that.
void Stream::leave_model() {
  if (ModelHost* models = Runtime::instance().model_host()) {
    models->leave(strand_);
  }
}

Result<> Stream::finish_abort(Deadline deadline) {
  auto done = await_dropped(submitted(), deadline);
  uint64_t all;
  {
    // What is submitted from here on is not of this abort any more.
    std::lock_guard lock(strand_.producer_lock());
    all = submitted();
    strand_.drop_below(all);
  }
  if (done) {
    done = await_dropped(all, deadline);
  }
  // Even. Release: the end; pairs with check_aborts().
  aborts_.fetch_add(1, std::memory_order_acq_rel);
  if (done) {
    strand_.take_error();  // who aborts knows
    strand_.scheduler().orders().remove(&strand_);
  }
  abort_turn_.release();
  return done;
}

Result<> Stream::abort(AbortReason reason, Deadline deadline) {
  begin_abort(reason);
  return finish_abort(deadline);
}

Result<> Stream::stop(Deadline deadline) {
  abort_turn_.acquire();
  auto done = stop_in_turn(deadline);
  abort_turn_.release();
  return done;
}

Result<> Stream::stop_in_turn(Deadline deadline) {
  const uint64_t done = strand_.completed();
  if (done == submitted() || context_.stopped()) {
    return {};  // nothing runs
  }
  strand_.drop_below(done + 1);
  strand_.scheduler().orders().add(&strand_);
  leave_model();
  CANOPY_TRY(await_dropped(done + 1, deadline));
  strand_.scheduler().orders().remove(&strand_);
  return {};
}

}  // namespace canopy
