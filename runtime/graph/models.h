// Models by handle, and what the C API asks of them. One per process, made with the first model.
//
// A model belongs to the context that was current when it was begun, and goes with it. Thread-safe.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/core/model_host.h"
#include "runtime/core/runtime.h"
#include "runtime/graph/model.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace canopy {

class Models final : public ModelHost {
 public:
  static Models& instance();

  // A model of the current context, to be built.
  Result<void*> begin();
  // Of the current context. Errc: stale_handle, model_context.
  Result<std::shared_ptr<Model>> find(void* handle) const;
  // Of any context.
  Result<std::shared_ptr<Model>> find_any(void* handle) const;
  // The model that the stream is bound to. Errc::not_bound.
  Result<std::shared_ptr<Model>> of_stream(const Stream& stream) const;
  // Waits for runs to end, a while. Errc::running.
  Result<> destroy(void* handle);

  // One run, in stream order.
  Result<> run_on(void* handle, void* stream);
  // One run, complete on return. Errc::stream_timeout: it goes on.
  Result<> run(void* handle, Deadline deadline);
  // Ends the run, and what is in line for one.
  Result<> abort(void* handle);

  void close_context(void* context) override;
  void leave(Strand& strand) override;
  void abort_device(int device) override;

 private:
  explicit Models(Runtime& runtime) : runtime_(runtime) {}
  std::vector<std::pair<void*, std::shared_ptr<Model>>> all() const;
  // The handle is dead; nobody uses the model.
  void end(void* handle, Model& model);

  struct Entry {
    std::shared_ptr<Model> model;
  };
  Runtime& runtime_;
  mutable std::mutex mutex_;  // guards all below: between a look-up and the share nobody removes a model
  HandleTable<Entry> models_{12};
  uint32_t next_id_ = 0;
};

}  // namespace canopy
