// StreamRun: one stream of a built model, as it runs: a strand that is fed with copies of the stream's
// stored tasks.
//
// It is fed in *stretches*: up to kStretch tasks and, last, one that decides how it goes on - a control
// task, or a step of ours that feeds the next stretch or ends the stream. While it runs, exactly one such
// task is in the ring, behind all others; it runs or is dropped, so whatever becomes of the tasks, the end
// is heard of. A jump is another place to feed from. Feeding copies entries and takes no memory.
//
// The strand's owner runs the steps. All else REQUIRES ModelRuns' lock.
#pragma once

#include "runtime/core/stream.h"
#include "runtime/device/strand.h"
#include "runtime/graph/control.h"

#include <cstdint>
#include <vector>

namespace canopy {

class ModelRuns;

class StreamRun : public Strand {
 public:
  // Copies the tasks that `stream` keeps, whose arguments stay its own. `head`: it starts with the model.
  StreamRun(ModelRuns& runs, Stream& stream, bool head);
  ~StreamRun();
  StreamRun(const StreamRun&) = delete;
  StreamRun& operator=(const StreamRun&) = delete;

  bool head() const { return head_; }
  bool running() const { return running_; }
  // A task that is kept; of the next copy on.
  std::vector<Sqe>& tasks() { return tasks_; }

  // Runs from task `position` on.
  void start(uint32_t position);
  // It has come to its end.
  void stop();
  // To start there once it has come to its end. The same place counts once.
  void start_later(uint32_t position);
  bool take_later(uint32_t* position);
  // Goes on at task `position`. REQUIRES: called from the last task of its stretch.
  void go_on(uint32_t position);
  // In front of which task it goes on by itself.
  uint32_t next() const { return next_; }

  // The function of control tasks (control.h).
  static void run_control(Strand& strand, void* control, bool dropped);

 private:
  static constexpr uint32_t kStretch = 200;
  static constexpr uint32_t kRing = 256;

  void feed();
  static void feed_more(Strand& strand, void*, bool dropped);
  static void end(Strand& strand, void*, bool dropped);

  ModelRuns& runs_;
  Stream& stream_;
  const bool head_;
  std::vector<Sqe> tasks_;
  uint32_t next_ = 0;
  bool running_ = false;
  std::vector<uint32_t> later_;
};

}  // namespace canopy
