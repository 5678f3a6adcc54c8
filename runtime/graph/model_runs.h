// ModelRuns: the runs of one built model, one at a time, in the order in which they were asked for.
//
// A run is asked for by a stream, which hands itself over (a Gate) until the run is over, or by a host. It
// begins with the streams that are heads, and is over when no stream of it runs any more, whichever of them had the
// end task; then the next begins. A loop that has no end is ended by an abort.
//
// Aborting marks all strands of the run, so that their tasks are dropped, down to the last one of each
// stretch, which says that its stream has come to its end.
//
// Life: from Model::build() until the model is destroyed or changed, while nobody uses it (uses()). Thread-safe;
// mutex_ is taken by executors between two tasks, for a few instructions. Order: orders_mutex_, mutex_, those of the
// core and the device.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/waiter.h"
#include "runtime/core/context.h"
#include "runtime/device/gate.h"
#include "runtime/graph/control.h"
#include "runtime/graph/stream_run.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace canopy {

class NotifyCell;
struct EventCell;

// What a host that waits for a run is told.
struct RunResult {
  std::atomic<bool> over{false};  // release: all below
  int32_t code = 0;
  int32_t stream_id = 0;
  std::string sentence;
  bool device_aborted = false;  // with all tasks of its device
  Doorbell bell;
};

class ModelRuns {
 public:
  explicit ModelRuns(Context& context) : context_(context) {}
  ~ModelRuns();

  // ---- Building.
  void add(std::unique_ptr<StreamRun> stream) { streams_.push_back(std::move(stream)); }
  const std::vector<std::unique_ptr<StreamRun>>& streams() const { return streams_; }
  // Cells that each run begins with pending; their shares are those of stored tasks.
  void clear_first(EventCell* cell) { events_.push_back(cell); }
  void clear_first(NotifyCell* cell) { barriers_.push_back(cell); }

  // ---- Runs.
  // Queues one as a task of the stream.
  void post(Stream& stream);
  // Asks for one. The result is told even when nobody waits for it any more.
  std::shared_ptr<RunResult> start();
  // Ends the run, and what is in line for one; abort() returns when it has ended, the other how many runs are over
  // then.
  Result<> abort(Deadline deadline);
  uint64_t abort_all(AbortReason reason);
  // Ends the run that `of` waits for, or its wait for one.
  void leave(Strand& of);
  // Runs that are asked for, begun or not, and calls that work with this.
  bool used() const { return uses_.load(std::memory_order_acquire) != 0; }
  void hold() { uses_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() { uses_.fetch_sub(1, std::memory_order_release); }

  // ---- Of streams that run.
  std::mutex& mutex() { return mutex_; }
  // The stream's stretch is over, and it goes nowhere by itself.
  void stream_ended(StreamRun& stream);
  void pass(StreamRun& stream);
  void activate(ModelPlace place);
  void jump(StreamRun& stream, ModelPlace place);

 private:
  class Request;
  // For aborts, which outlast the model perhaps.
  struct Told {
    std::atomic<uint64_t> runs{0};  // release: who waits for them has been told, and they hold nothing
    Doorbell bell;
  };
  // Requests whose runs are over; they are told when mutex_ is not held any more, since the model may be gone after
  // the last one.
  using Over = std::vector<Request*>;
  // These REQUIRE mutex_ held.
  void start_next(Over* over);
  void begin();
  void activate_locked(ModelPlace place);
  // The stream ends, or starts as it was asked to. True: the run is over with it.
  bool stream_ended_locked(StreamRun& stream);
  void mark_aborted();
  // Takes the result of the run that is over, and begins the next one.
  void end_run(Over* over);
  // Without the lock.
  void tell_all(const Over& over);

  // False: it is in line, or its run has begun.
  bool enter(Request& request);
  void tell(Request* request);
  void send_orders();
  void take_orders_back();

  Context& context_;
  std::vector<std::unique_ptr<StreamRun>> streams_;
  std::vector<EventCell*> events_;
  std::vector<NotifyCell*> barriers_;
  std::atomic<uint32_t> uses_{0};

  std::mutex orders_mutex_;  // between an order for the run's strands and its end
  std::mutex mutex_;         // guards all below, and the streams
  Request* current_ = nullptr;
  std::deque<Request*> line_;
  uint32_t running_ = 0;  // streams
  bool aborted_ = false;
  AbortReason reason_ = AbortReason::stream;  // of the newest abort
  uint64_t runs_over_ = 0;
  const std::shared_ptr<Told> told_ = std::make_shared<Told>();
};

}  // namespace canopy
