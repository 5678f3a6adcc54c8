#include "runtime/core/stream.h"

#include "acl/rt/stream.h"
#include "runtime/base/log.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/context.h"
#include "runtime/core/runtime.h"
#include "runtime/core/task_error.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/task_text.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace canopy {
namespace {

// What they hold is not the host's to wait for.
constexpr uint32_t kNotWaitedFor = ACL_STREAM_PERSISTENT | ACL_STREAM_DEVICE_USE_ONLY | ACL_STREAM_CPU_SCHEDULE;

}  // namespace

Stream::Stream(Context& context, Scheduler& scheduler, DeviceCores& device, int32_t id, uint8_t priority,
               uint32_t flags, bool is_default)
    : context_(context),
      accepts_from_(nullptr),
      flags_(flags),
      default_(is_default),
      strand_(scheduler, device, id, priority, (flags & ACL_STREAM_PERSISTENT) != 0) {
  reopen();
}

void Stream::reopen() {
  if (!stored() && !context_.stopped() && !Runtime::instance().device_news().lost(context_.device_id())) {
    accepts_from_.store(&context_, std::memory_order_relaxed);
  }
}

Result<> Stream::check_accepts() const {
  CANOPY_TRY(Runtime::instance().device_news().check(context_.device_id()));
  CANOPY_TRY(context_.check_running());
  if ((aborts_.load(std::memory_order_acquire) & 1) != 0 && reason_.load(std::memory_order_relaxed) == AbortReason::device) {
    return fail(Errc::device_aborted, "device {} stream {}: the device's tasks are being aborted", strand_.device().device(),
                id());
  }
  if (const char* because = sealed_.load(std::memory_order_relaxed); because != nullptr) {
    return fail(Errc::bound, "device {} stream {}: it takes no more tasks, {}", strand_.device().device(), id(),
                because);
  }
  if (stored() && strand_.submitted() - strand_.completed() >= kDepth) {
    return fail(Errc::again, "device {} stream {}: a persistent stream holds {} tasks at most", strand_.device().device(),
                id(), kDepth);
  }
  if (CallbackScope::inside() && strand_.submitted() - strand_.completed() >= kDepth) {
    return fail(Errc::again, "device {} stream {}: it holds {} tasks, and a function that a stream has called cannot wait "
                "for room", strand_.device().device(), id(), kDepth);
  }
  return {};
}

bool Stream::take_args(size_t bytes, Sqe* sqe, std::byte** args) {
  if (!ArgsRing::fits(bytes) || stored()) {  // what is stored gives nothing back to wait for
    sqe->heap_args = std::malloc(bytes);  // freed when the task is retired
    *args = static_cast<std::byte*>(sqe->heap_args);
    return *args != nullptr;
  }
  *args = strand_.args().take(bytes, &sqe->args_end);
  return *args != nullptr;
}

void Stream::wait_for_room() {
  // A quarter of what is queued now: waking for every freed entry would cost more than it gives.
  const uint64_t done = strand_.completed();
  const uint64_t target = done + std::max<uint64_t>(1, (strand_.submitted() - done) / 4);
  wait_until([&] { return strand_.reached(target) || strand_.idle(); }, &strand_.bell(),
             BellScope::process, Deadline::never(), [&] {
               return fmt::format("device {} stream {}: room in a full queue of {} tasks{}",
                                  strand_.device().device(), id(), Strand::kRingEntries, describe_waits());
             });
}

std::string Stream::describe_wait(uint64_t target) const {
  std::optional<Sqe> oldest;
  {
    std::lock_guard lock(strand_.producer_lock());
    if (const Sqe* entry = strand_.oldest()) {
      oldest = *entry;
    }
  }
  const std::string next = oldest ? canopy::describe_wait(*oldest) + describe_state(*oldest) : std::string();
  return fmt::format("device {} stream {}: {} of {} tasks completed{}{}{}", strand_.device().device(), id(),
                     strand_.completed(), target, next.empty() ? "" : ", the next one waits for ", next,
                     describe_waits());
}

Result<> Stream::synchronize(Deadline deadline, Callbacks callbacks) {
  CANOPY_TRY(CallbackScope::refuse("synchronising with a stream"));
  if ((flags_ & kNotWaitedFor) != 0) [[unlikely]] {
    return {};
  }
  std::optional<Held> held;
  if (!strand_.idle()) {
    held.emplace(*this);
  }
  const uint32_t aborts = aborts_.load(std::memory_order_acquire);
  const uint64_t target = strand_.submitted();
  const WaitEnd end =
      wait_until(Strand::Watch(strand_, target), &strand_.bell(), BellScope::process,
                 deadline, [&] { return describe_wait(target); });
  if (end == WaitEnd::deadline) {
    return fail(Errc::stream_timeout, "{}", describe_wait(target));
  }
  CANOPY_TRY(check_aborts(aborts));
  std::string sentence;
  if (const int32_t code = strand_.take_error(&sentence); code != 0) [[unlikely]] {
    auto failed = task_error(code, strand_.device().device(), id(), sentence);
    held.reset();  // a callback may end the stream
    if (callbacks == Callbacks::awaited) {
      Runtime::instance().exceptions().await();
    }
    return failed;
  }
  return context_.check_running();
}

Result<> Stream::synchronize_to_copy() {
  if (stored()) {
    return fail(Errc::invalid_argument, "stream {}: a persistent stream cannot keep a copy of host memory that is not "
                "pinned", id());
  }
  return synchronize(Deadline::never());
}

Result<> Stream::check_unbound(const char* what) const {
  if (model() == nullptr) {
    return {};
  }
  return fail(Errc::bound, "stream {} is bound to a model and cannot be {}", id(), what);
}

void Stream::drain() {
  if (stored()) {
    discard_stored();
    return;
  }
  const uint64_t target = strand_.submitted();
  wait_until(Strand::Watch(strand_, target), &strand_.bell(), BellScope::process,
             Deadline::never(), [&] { return describe_wait(target); });
  // The owner is a few instructions from letting go.
  wait_until([&] { return strand_.idle(); }, nullptr, BellScope::process, Deadline::never(),
             [&] { return describe_wait(target); });
}

void Stream::leave_lost_waits() {
  if (!stored() && !strand_.idle()) {
    strand_.leave_lost_waits();
    strand_.scheduler().orders().add(&strand_);
  }
}

void Stream::drain_for_good() {
  leave_lost_waits();
  drain();
}

void Stream::note_follows(const StreamPoint& point) {
  std::lock_guard lock(follows_lock_);
  const auto known = std::find_if(follows_.begin(), follows_.end(),
                                  [&](const StreamPoint& one) { return one.stream_id == point.stream_id; });
  if (known != follows_.end()) {
    known->ticket = std::max(known->ticket, point.ticket);
    return;
  }
  if (follows_.size() == kMaxFollows) {
    follows_.erase(follows_.begin());
  }
  follows_.push_back(point);
}

uint64_t Stream::follows(int32_t id) const {
  std::lock_guard lock(follows_lock_);
  for (const StreamPoint& one : follows_) {
    if (one.stream_id == id) {
      return one.ticket;
    }
  }
  return 0;
}

void Stream::await_holders() {
  wait_until([&] { return holders_.load(std::memory_order_acquire) == 0; }, nullptr, BellScope::process,
             Deadline::never(), [&] { return fmt::format("stream {}: other threads to leave it", id()); });
}

}  // namespace canopy
