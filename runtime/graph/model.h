// Model: streams that were bound together, and run as one any number of times.
//
//   begin -> bind streams -> queue tasks on them -> end task -> build -> run, run... -> unbind, destroy
//
// What is queued on a bound stream stays in that stream, whose ring is the one store of tasks. build() finds out
// where control tasks lead to, closes the streams, and makes the runs (model_runs.h), which copy the tasks. A stream
// that is unbound later keeps its tasks; the model is built anew from the others when it runs next.
//
// Thread-safe: mutex_ guards what is built. Which threads build and run at a time is the program's to order.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/context.h"
#include "runtime/graph/model_runs.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

class Model {
 public:
  static constexpr size_t kLongestName = 511;
  using DestroyFunction = void (*)(void*);

  Model(Context& context, void* context_handle, uint32_t id)
      : context_(context), context_handle_(context_handle), id_(id) {}
  ~Model();

  uint32_t id() const { return id_; }
  Context& context() { return context_; }
  void* context_handle() const { return context_handle_; }
  // Errc::invalid_argument: too long.
  Result<> set_name(std::string name);
  std::string name() const;

  // ---- Building. Errc::invalid_argument once it is built.
  Result<> bind(Stream& stream, void* handle, bool head);
  // Errc: not_bound, running.
  Result<> unbind(Stream& stream);
  // Queues the end task; the stream takes no more.
  Result<> add_end(Stream& stream);
  // Errc::invalid_argument: no stream starts with the model, a label or a barrier that is nowhere. not_bound: a
  // stream that is not the model's is to be started.
  Result<> build();
  // At the end of what the stream holds; once per model.
  Result<> set_label(void* label, Stream& stream);
  // Drops what the stream holds. Errc::bound once the model is built.
  Result<> clean(Stream& stream);
  // Calls change(task) for task `ticket` of the stream, as it is kept; later runs do what it is then. Errc::
  // invalid_argument: there is none.
  Result<> change_task(const Stream& stream, uint64_t ticket, FunctionRef<Result<>(Sqe&)> change);
  // Errc::not_bound: the stream is not the model's.
  Result<> check_stream(const Stream& stream) const;

  // ---- Barriers of cache maintenance, by kind and number. Each run begins with all of them open.
  using BarrierName = std::pair<uint32_t, uint32_t>;
  Result<> post_barrier(Stream& stream, BarrierName name);
  Result<> post_barrier_wait(Stream& stream, BarrierName name);

  // ---- Running. Errc::not_built.
  Result<ModelRuns*> runs();
  bool used() const;
  // As of its runs, if it has any.
  void leave(Strand& strand);
  void abort_all(AbortReason reason);

  // ---- The end. Errc::invalid_argument: registered already, or not at all.
  Result<> add_destroy_function(DestroyFunction function, void* data);
  Result<> remove_destroy_function(DestroyFunction function);
  void call_destroy_functions();
  // Lets go of its streams. REQUIRES: not used().
  void take_apart();

 private:
  struct Bound {
    Stream* stream;
    bool head;
  };
  struct Barrier {
    NotifyCell* cell;
    bool signalled = false;
    bool waited_for = false;
  };
  // These REQUIRE mutex_ held.
  Result<> check_building() const;
  bool has_head() const;
  Result<uint32_t> index_of(const Stream& stream) const;
  Result<> make_runs();
  Result<> resolve(Control& control) const;
  Barrier& barrier(BarrierName name);

  Context& context_;
  void* const context_handle_;
  const uint32_t id_;

  mutable std::mutex mutex_;  // guards all below
  std::string name_;
  std::vector<Bound> bound_;
  std::map<const void*, std::pair<const Stream*, uint32_t>> labels_;
  std::map<BarrierName, Barrier> barriers_;
  bool built_ = false;
  std::unique_ptr<ModelRuns> runs_;
  std::vector<std::pair<DestroyFunction, void*>> destroy_functions_;
};

}  // namespace canopy
