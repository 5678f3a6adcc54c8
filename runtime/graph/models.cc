#include "runtime/graph/models.h"

#include "runtime/core/callback_scope.h"
#include "runtime/core/task_error.h"

#include <chrono>

namespace canopy {
namespace {

// How long aclmdlRIDestroy waits for a run that is about to end.
constexpr std::chrono::milliseconds kDestroyPatience{200};

}  // namespace

Models& Models::instance() {
  // Leaked, as the runtime is.
  static Models* models = [] {
    auto* made = new Models(Runtime::instance());
    Runtime::instance().set_model_host(made);
    return made;
  }();
  return *models;
}

Result<void*> Models::begin() {
  CANOPY_ASSIGN(Context * context, runtime_.current_context());
  CANOPY_ASSIGN(void* context_handle, runtime_.current_context_handle());
  std::lock_guard lock(mutex_);
  void* handle = models_.insert(std::make_unique<Entry>(
      Entry{std::make_shared<Model>(*context, context_handle, next_id_++)}));
  if (handle == nullptr) {
    return fail(Errc::no_model, "no more handles for models");
  }
  return handle;
}

Result<std::shared_ptr<Model>> Models::find_any(void* handle) const {
  std::lock_guard lock(mutex_);
  if (const Entry* entry = models_.find(handle)) {
    return entry->model;
  }
  return fail(Errc::stale_handle, "{} is not a live model", fmt::ptr(handle));
}

Result<std::shared_ptr<Model>> Models::find(void* handle) const {
  CANOPY_ASSIGN(void* context, runtime_.current_context_handle());
  CANOPY_ASSIGN(auto model, find_any(handle));
  if (model->context_handle() != context) {
    return fail(Errc::model_context, "model {} belongs to another context than the current one",
                model->id());
  }
  return model;
}

Result<std::shared_ptr<Model>> Models::of_stream(const Stream& stream) const {
  std::lock_guard lock(mutex_);
  if (const Entry* entry = models_.find(stream.model())) {
    return entry->model;
  }
  return fail(Errc::not_bound, "stream {} is not bound to a model", stream.id());
}

std::vector<std::pair<void*, std::shared_ptr<Model>>> Models::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<void*, std::shared_ptr<Model>>> list;
  for (void* handle : models_.handles()) {
    list.emplace_back(handle, models_.find(handle)->model);
  }
  return list;
}

// ---- The end.

void Models::end(void* handle, Model& model) {
  {
    std::lock_guard lock(mutex_);
    std::unique_ptr<Entry> entry = models_.remove(handle);  // the caller has a share
  }
  model.call_destroy_functions();
  model.take_apart();
}

Result<> Models::destroy(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("destroying a model"));
  CANOPY_ASSIGN(const std::shared_ptr<Model> model, find(handle));
  const WaitEnd idle = wait_until([&] { return !model->used(); }, nullptr, BellScope::process,
                                  Deadline::after(kDestroyPatience),
                                  [&] { return fmt::format("model {} to end", model->id()); });
  if (idle == WaitEnd::deadline) {
    return fail(Errc::running, "model {} runs, or is queued to run, and cannot be destroyed",
                model->id());
  }
  end(handle, *model);
  return {};
}

void Models::close_context(void* context) {
  for (const auto& [handle, model] : all()) {
    if (model->context_handle() != context) {
      continue;
    }
    wait_until([&] { return !model->used(); }, nullptr, BellScope::process, Deadline::never(),
               [&] { return fmt::format("model {} to have run what is queued", model->id()); });
    end(handle, *model);
  }
}

// ---- Runs.

Result<> Models::run_on(void* handle, void* stream_handle) {
  CANOPY_ASSIGN(const std::shared_ptr<Model> model, find(handle));
  CANOPY_ASSIGN(Stream * stream, runtime_.stream(stream_handle));
  if (stream->stored()) {
    return fail(Errc::not_supported,
                "stream {}: a model cannot be a task of a stream that keeps its tasks",
                stream->id());
  }
  CANOPY_ASSIGN(ModelRuns * runs, model->runs());
  runs->post(*stream);
  return {};
}

Result<> Models::run(void* handle, Deadline deadline) {
  CANOPY_TRY(CallbackScope::refuse("running a model"));
  CANOPY_ASSIGN(const std::shared_ptr<Model> model, find(handle));
  runtime_.device_news().look();
  CANOPY_TRY(model->context().default_stream_object()->check_accepts());
  CANOPY_ASSIGN(ModelRuns * runs, model->runs());
  const std::shared_ptr<RunResult> result = runs->start();
  const auto describe = [&] { return fmt::format("a run of model {} to end", model->id()); };
  if (wait_until([&] { return result->over.load(std::memory_order_acquire); }, &result->bell,
                 BellScope::process, deadline, describe) == WaitEnd::deadline) {
    return fail(Errc::stream_timeout, "{}", describe());
  }
  if (result->device_aborted) {
    CANOPY_TRY(runtime_.device_news().check(model->context().device_id()));
    return fail(Errc::device_aborted, "model {}: the tasks of its device were aborted",
                model->id());
  }
  if (result->code != 0) {
    runtime_.exceptions().await();
    return task_error(result->code, model->context().device_id(), result->stream_id,
                      result->sentence);
  }
  return model->context().check_running();
}

Result<> Models::abort(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("aborting a model"));
  CANOPY_ASSIGN(const std::shared_ptr<Model> model, find(handle));
  CANOPY_ASSIGN(ModelRuns * runs, model->runs());
  return runs->abort(Deadline::user_default());
}

// ---- For the core.

void Models::leave(Strand& strand) {
  for (const auto& [handle, model] : all()) {
    model->leave(strand);
  }
}

void Models::abort_device(int device) {
  for (const auto& [handle, model] : all()) {
    if (model->context().device_id() == device) {
      model->abort_all(AbortReason::device);
    }
  }
}

}  // namespace canopy
