#include "runtime/graph/stream_run.h"

#include "runtime/base/check.h"
#include "runtime/base/waiter.h"
#include "runtime/core/context.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/stored_task.h"
#include "runtime/graph/model_runs.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace canopy {

StreamRun::StreamRun(ModelRuns& runs, Stream& stream, bool head)
    : Strand(stream.context().scheduler(), stream.strand().device(), stream.id(), stream.priority(),
             false, kRing),
      runs_(runs),
      stream_(stream),
      head_(head) {
  stream.strand().each_stored([&](const Sqe& task) { tasks_.push_back(task); });
  stream.context().add_strand(this);
  stream.strand().set_replayer(this);
}

StreamRun::~StreamRun() {
  // Its last step has run; the executor is a few instructions from letting go.
  wait_until([&] { return idle(); }, nullptr, BellScope::process, Deadline::never(),
             [&] { return fmt::format("stream {}: the last task of a run to end", stream_id()); });
  stream_.strand().set_replayer(nullptr);
  stream_.context().remove_strand(this);
  scheduler().orders().remove(this);
}

// ---- Feeding.

void StreamRun::start(uint32_t position) {
  running_ = true;
  go_on(position);
}

void StreamRun::stop() {
  running_ = false;
  later_.clear();
}

void StreamRun::go_on(uint32_t position) {
  next_ = position;
  feed();
}

void StreamRun::feed() {
  std::lock_guard lock(producer_lock());  // reports read the oldest task
  uint32_t fed = 0;
  const auto room = [&] {
    Sqe* entry = reserve();
    CHECK(entry != nullptr, "a stretch is smaller than the ring, and the one before has run");
    ++fed;
    return entry;
  };
  number_next_task(stream_.strand().completed() + next_);  // as the bound stream counts
  bool decided = false;
  while (!decided && fed < kStretch && next_ < tasks_.size()) {
    const Sqe& kept = tasks_[next_++];
    Sqe* copy = room();
    *copy = kept;
    take_shares(*copy);
    append();
    const Control* control = control_of(kept);
    decided = control != nullptr && control->ends_stretch();
  }
  if (!decided) {
    Sqe* last = room();
    *last = Sqe{};
    last->kind = SqeKind::step;
    last->body.step = {next_ < tasks_.size() ? &StreamRun::feed_more : &StreamRun::end, nullptr};
    append();
  }
  publish_appended(fed);
}

void StreamRun::start_later(uint32_t position) {
  if (std::find(later_.begin(), later_.end(), position) == later_.end()) {
    later_.push_back(position);
  }
}

bool StreamRun::take_later(uint32_t* position) {
  if (later_.empty()) {
    return false;
  }
  *position = later_.front();
  later_.erase(later_.begin());
  return true;
}

// ---- Steps.

void StreamRun::feed_more(Strand& strand, void*, bool dropped) {
  auto& run = static_cast<StreamRun&>(strand);
  if (dropped) {
    run.runs_.stream_ended(run);
    return;
  }
  std::lock_guard lock(run.runs_.mutex());
  run.feed();
}

void StreamRun::end(Strand& strand, void*, bool) {
  auto& run = static_cast<StreamRun&>(strand);
  run.runs_.stream_ended(run);
}

void StreamRun::run_control(Strand& strand, void* argument, bool dropped) {
  auto& run = static_cast<StreamRun&>(strand);
  auto& control = *static_cast<Control*>(argument);
  if (dropped) {
    if (control.ends_stretch()) {
      run.runs_.stream_ended(run);
    }
    return;
  }
  const auto pass_by_failure = [&] {
    strand.record_error(kCopyFault, error_text::take_newest());
    run.runs_.pass(run);  // as later tasks of any stream run
  };
  switch (control.kind) {
    case Control::Kind::activate:
      run.runs_.activate(control.targets()[0].place);
      break;
    case Control::Kind::branch:
      if (const auto holds = control.holds(); !holds) {
        pass_by_failure();
      } else if (*holds) {
        run.runs_.activate(control.targets()[0].place);
        run.runs_.stream_ended(run);
      } else {
        run.runs_.pass(run);
      }
      break;
    case Control::Kind::jump:
      if (const auto chosen = control.chosen(); !chosen) {
        pass_by_failure();
      } else {
        run.runs_.jump(run, control.targets()[*chosen].place);
      }
      break;
    case Control::Kind::end:
      run.runs_.stream_ended(run);
      break;
  }
}

}  // namespace canopy
