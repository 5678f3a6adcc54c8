#include "runtime/graph/model_runs.h"

#include "runtime/device/event_bank.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/scheduler.h"

#include <algorithm>
#include <utility>

namespace canopy {

// Ends with its run, or with its place in line.
class ModelRuns::Request final : public Gate {
 public:
  Request(ModelRuns& runs, std::shared_ptr<RunResult> host) : runs_(runs), result(std::move(host)) {
    runs_.hold();
  }
  bool enter(Strand& by) override {
    strand = &by;
    return runs_.enter(*this);
  }
  void drop() override {
    ModelRuns& runs = runs_;
    delete this;
    runs.let_go();
  }

 private:
  ModelRuns& runs_;

 public:
  Strand* strand = nullptr;                 // that waits; null: a host
  const std::shared_ptr<RunResult> result;  // a host's
  // Once the run is over.
  int32_t code = 0;
  int32_t stream_id = 0;
  std::string sentence;
  bool began = false;  // as a run, rather than left its line
  bool aborted = false;
  bool device_aborted = false;
};

ModelRuns::~ModelRuns() = default;

// ---- Asking.

void ModelRuns::post(Stream& stream) {
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::gate;
    sqe.body.gate = new Request(*this, nullptr);
  });
}

std::shared_ptr<RunResult> ModelRuns::start() {
  auto result = std::make_shared<RunResult>();
  enter(*new Request(*this, result));
  return result;
}

bool ModelRuns::enter(Request& request) {
  bool through = false;
  Over over;
  {
    std::lock_guard lock(mutex_);
    // Whoever drops the stream's tasks has marked it before he looks at who is in line.
    if (request.strand != nullptr && request.strand->drops_head()) {
      through = true;
    } else {
      line_.push_back(&request);
      if (current_ == nullptr) {
        start_next(&over);
      }
    }
  }
  // What is in line now may be over already, and this object gone, unless `over` holds it.
  if (through) {
    request.drop();
  }
  if (!over.empty()) {
    tell_all(over);
  }
  return through;
}

void ModelRuns::start_next(Over* over) {
  while (current_ == nullptr && !line_.empty()) {
    Request* next = line_.front();
    line_.pop_front();
    if (next->strand != nullptr && next->strand->drops_head()) {
      over->push_back(next);  // its stream is on its way out
    } else {
      current_ = next;
      begin();
    }
  }
}

void ModelRuns::begin() {
  aborted_ = false;
  for (EventCell* cell : events_) {
    cell->clear();
  }
  for (NotifyCell* cell : barriers_) {
    cell->clear();
  }
  for (uint32_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i]->head()) {
      activate_locked({i, 0});
    }
  }
}

// ---- Streams.

void ModelRuns::activate_locked(ModelPlace place) {
  StreamRun& stream = *streams_[place.stream];
  if (aborted_) {
    return;
  }
  if (stream.running()) {
    stream.start_later(place.position);
    return;
  }
  ++running_;
  stream.start(place.position);
}

void ModelRuns::activate(ModelPlace place) {
  std::lock_guard lock(mutex_);
  activate_locked(place);
}

void ModelRuns::pass(StreamRun& stream) {
  std::lock_guard lock(mutex_);
  stream.go_on(stream.next());
}

bool ModelRuns::stream_ended_locked(StreamRun& stream) {
  uint32_t position;
  if (!aborted_ && stream.take_later(&position)) {
    stream.go_on(position);
    return false;
  }
  stream.stop();
  return --running_ == 0;
}

void ModelRuns::stream_ended(StreamRun& stream) {
  Over over;
  {
    std::lock_guard lock(mutex_);
    if (stream_ended_locked(stream)) {
      end_run(&over);
    }
  }
  if (!over.empty()) {
    tell_all(over);
  }
}

void ModelRuns::jump(StreamRun& stream, ModelPlace place) {
  Over over;
  {
    std::lock_guard lock(mutex_);
    if (streams_[place.stream].get() == &stream) {
      stream.go_on(place.position);
      return;
    }
    activate_locked(place);
    if (stream_ended_locked(stream)) {
      end_run(&over);
    }
  }
  if (!over.empty()) {
    tell_all(over);
  }
}

// ---- Ends.

void ModelRuns::end_run(Over* over) {
  Request* request = std::exchange(current_, nullptr);
  for (const auto& stream : streams_) {
    std::string sentence;
    const int32_t code = stream->take_error(&sentence);
    if (code != 0 && request->code == 0) {
      request->code = code;
      request->stream_id = stream->stream_id();
      request->sentence = std::move(sentence);
    }
  }
  request->began = true;
  request->aborted = aborted_;
  if (aborted_) {
    request->device_aborted = reason_ == AbortReason::device;
    request->code = kModelAborted;
    request->stream_id = streams_.front()->stream_id();
    request->sentence = "the model's run was aborted";
    for (const auto& stream : streams_) {
      context_.end_drop(*stream);
    }
  }
  ++runs_over_;
  over->push_back(request);
  start_next(over);
}

// REQUIRES: not empty; each of them holds this object until it is told.
void ModelRuns::tell_all(const Over& over) {
  const bool run = over.front()->began;
  if (over.front()->aborted) {
    take_orders_back();
  }
  const std::shared_ptr<Told> told = told_;
  for (Request* request : over) {
    tell(request);
  }
  if (run) {
    told->runs.fetch_add(1, std::memory_order_release);  // pairs with abort()
    told->bell.ring(BellScope::process);
  }
}

// The model is not in use any more when who waits goes on: he may take it apart.
void ModelRuns::tell(Request* request) {
  if (Strand* strand = request->strand; strand != nullptr) {
    if (request->code != 0) {
      strand->adopt_error(request->code, std::move(request->sentence));
    }
    request->drop();
    strand->scheduler().submit(strand, true);
  } else {
    const std::shared_ptr<RunResult> result = request->result;
    result->code = request->code;
    result->stream_id = request->stream_id;
    result->sentence = std::move(request->sentence);
    result->device_aborted = request->device_aborted;
    request->drop();
    result->over.store(true, std::memory_order_release);
    result->bell.ring(BellScope::process);
  }
}

// ---- Aborting.

void ModelRuns::mark_aborted() {
  aborted_ = true;
  for (const auto& stream : streams_) {
    stream->drop_below(Strand::kDropAll);
  }
}

// Tasks see the mark between two of them; what is parked in a cell, and kernels, have to be told.
void ModelRuns::send_orders() {
  std::lock_guard orders(orders_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (!aborted_ || current_ == nullptr) {
      return;  // over already
    }
  }
  for (const auto& stream : streams_) {
    stream->scheduler().orders().add(stream.get());
  }
}

void ModelRuns::take_orders_back() {
  std::lock_guard orders(orders_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (aborted_ && current_ != nullptr) {
      return;  // the next run is being aborted, and its end comes here
    }
  }
  for (const auto& stream : streams_) {
    stream->scheduler().orders().remove(stream.get());
  }
}

uint64_t ModelRuns::abort_all(AbortReason reason) {
  std::deque<Request*> line;
  bool runs;
  uint64_t over;
  {
    std::lock_guard lock(mutex_);
    line.swap(line_);
    runs = current_ != nullptr;
    over = runs_over_ + (runs ? 1 : 0);
    if (runs) {
      reason_ = reason;
      mark_aborted();
    }
  }
  for (Request* request : line) {
    request->code = kModelAborted;
    request->stream_id = streams_.front()->stream_id();
    request->sentence = "the model was aborted before its run began";
    request->device_aborted = reason == AbortReason::device;
    tell(request);
  }
  if (runs) {
    send_orders();
  }
  return over;
}

Result<> ModelRuns::abort(Deadline deadline) {
  const std::shared_ptr<Told> told = told_;
  const uint64_t over = abort_all(AbortReason::stream);
  const auto ended = [&] { return told->runs.load(std::memory_order_acquire) >= over; };
  const auto describe = [] { return std::string("a run that is aborted to end"); };
  if (wait_until(ended, &told->bell, BellScope::process, deadline, describe) == WaitEnd::deadline) {
    return fail(Errc::stream_timeout, "the model's run does not end: a task of it goes on");
  }
  return {};
}

void ModelRuns::leave(Strand& of) {
  Request* out = nullptr;
  bool aborted = false;
  {
    std::lock_guard lock(mutex_);
    if (current_ != nullptr && current_->strand == &of) {
      reason_ = AbortReason::stream;
      mark_aborted();
      aborted = true;
    } else {
      const auto found = std::find_if(line_.begin(), line_.end(),
                                      [&](const Request* each) { return each->strand == &of; });
      if (found != line_.end()) {
        out = *found;
        line_.erase(found);
      }
    }
  }
  if (out != nullptr) {
    tell(out);
  }
  if (aborted) {
    send_orders();
  }
}

}  // namespace canopy
