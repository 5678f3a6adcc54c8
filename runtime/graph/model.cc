#include "runtime/graph/model.h"

#include "runtime/device/event_bank.h"
#include "runtime/device/notify_cell.h"

#include <algorithm>

namespace canopy {
namespace {

constexpr const char* kBuilt = "its model is built";
constexpr const char* kEnded = "it has its model's end task";

// Which of an event's tasks came first in the model.
struct EventUse {
  uint64_t first_record = ~0ull;
  uint64_t first_wait = ~0ull;
};

// Of events that the model records itself before it waits for them, each run waits for its own record.
void find_events_to_clear(ModelRuns& runs) {
  std::map<EventCell*, EventUse> uses;
  for (const auto& stream : runs.streams()) {
    for (const Sqe& task : stream->tasks()) {
      if (task.kind == SqeKind::event_record) {
        uint64_t& first = uses[task.body.event.cell].first_record;
        first = std::min(first, task.body.event.order);
      } else if (task.kind == SqeKind::event_wait) {
        uint64_t& first = uses[task.body.event.cell].first_wait;
        first = std::min(first, task.body.event.order);
      } else if (task.kind == SqeKind::timed_event_wait) {
        uint64_t& first = uses[task.body.timed_event.cell].first_wait;
        first = std::min(first, task.body.timed_event.order);
      }
    }
  }
  for (const auto& [cell, use] : uses) {
    if (use.first_record < use.first_wait) {
      runs.clear_first(cell);
    }
  }
}

}  // namespace

Model::~Model() {
  take_apart();
  for (const auto& [name, barrier] : barriers_) {
    barrier.cell->drop_reference();
  }
}

// ---- Names.

Result<> Model::set_name(std::string name) {
  if (name.size() > kLongestName) {
    return fail(Errc::invalid_argument, "a name of {} bytes for a model, {} is the most",
                name.size(), kLongestName);
  }
  std::lock_guard lock(mutex_);
  name_ = std::move(name);
  return {};
}

std::string Model::name() const {
  std::lock_guard lock(mutex_);
  return name_;
}

// ---- Building.

Result<> Model::check_building() const {
  if (built_) {
    return fail(Errc::invalid_argument, "model {} is built: it can be run and taken apart only",
                id_);
  }
  return {};
}

Result<uint32_t> Model::index_of(const Stream& stream) const {
  const auto found = std::find_if(bound_.begin(), bound_.end(),
                                  [&](const Bound& each) { return each.stream == &stream; });
  if (found == bound_.end()) {
    return fail(Errc::not_bound, "stream {} is not bound to model {}", stream.id(), id_);
  }
  return static_cast<uint32_t>(found - bound_.begin());
}

bool Model::has_head() const {
  return std::any_of(bound_.begin(), bound_.end(), [](const Bound& each) { return each.head; });
}

Result<> Model::check_stream(const Stream& stream) const {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(index_of(stream));
  return {};
}

Result<> Model::bind(Stream& stream, void* handle, bool head) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(check_building());
  if (!stream.stored()) {
    return fail(Errc::invalid_argument,
                "stream {} was made without ACL_STREAM_PERSISTENT and cannot be bound to a model",
                stream.id());
  }
  CANOPY_TRY(stream.check_unbound("bound to another one, nor twice"));
  bound_.push_back({&stream, head});
  stream.bind_to(handle);
  return {};
}

Result<> Model::unbind(Stream& stream) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(const uint32_t index, index_of(stream));
  if (runs_ != nullptr && runs_->used()) {
    return fail(Errc::running, "model {} runs: stream {} cannot leave it now", id_, stream.id());
  }
  runs_.reset();
  bound_.erase(bound_.begin() + index);
  std::erase_if(labels_, [&](const auto& label) { return label.second.first == &stream; });
  stream.bind_to(nullptr);
  stream.seal(nullptr);
  return {};
}

Result<> Model::add_end(Stream& stream) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(check_building());
  CANOPY_TRY(index_of(stream));
  post_control(stream, Control{Control::Kind::end}, {});
  stream.seal(kEnded);
  return {};
}

Result<> Model::set_label(void* label, Stream& stream) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(index_of(stream));
  const auto kept =
      static_cast<uint32_t>(stream.strand().submitted() - stream.strand().completed());
  if (!labels_.emplace(label, std::pair(&stream, kept)).second) {
    return fail(Errc::invalid_argument, "label {} is set in model {} already", fmt::ptr(label),
                id_);
  }
  return {};
}

Result<> Model::clean(Stream& stream) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(index_of(stream));
  if (built_) {
    return fail(Errc::bound, "stream {} is bound to model {}, which is built: unbind it first",
                stream.id(), id_);
  }
  std::erase_if(labels_, [&](const auto& label) { return label.second.first == &stream; });
  stream.discard_stored();
  stream.seal(nullptr);
  return {};
}

Result<> Model::change_task(const Stream& stream, uint64_t ticket,
                            FunctionRef<Result<>(Sqe&)> change) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(const uint32_t index, index_of(stream));
  Strand& strand = bound_[index].stream->strand();
  Result<> done;
  Sqe changed{};
  const bool there = strand.change_stored(ticket, [&](Sqe& kept) {
    done = change(kept);
    changed = kept;
  });
  if (!there) {
    return fail(Errc::invalid_argument, "stream {} of model {} has no task {}", stream.id(), id_,
                ticket);
  }
  if (done && runs_ != nullptr) {
    std::lock_guard runs(runs_->mutex());  // a run copies tasks under it
    runs_->streams()[index]->tasks()[ticket - strand.completed()] = changed;
  }
  return done;
}

// ---- Barriers.

Model::Barrier& Model::barrier(BarrierName name) {
  Barrier& found = barriers_[name];
  if (found.cell == nullptr) {
    found.cell = NotifyCell::make();
  }
  return found;
}

Result<> Model::post_barrier(Stream& stream, BarrierName name) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(index_of(stream));
  Barrier& of = barrier(name);
  of.signalled = true;
  of.cell->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_record;
    sqe.body.notify_record = {of.cell, 1, NotifyChange::set};
  });
  return {};
}

Result<> Model::post_barrier_wait(Stream& stream, BarrierName name) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(index_of(stream));
  Barrier& of = barrier(name);
  of.waited_for = true;
  of.cell->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_wait;
    sqe.body.notify_wait = {of.cell, "barrier", 0, name.second, 1, NotifyTest::equal, false};
  });
  return {};
}

// ---- The runs.

Result<> Model::resolve(Control& control) const {
  for (Control::Target& target : std::span(control.targets(), control.target_count)) {
    if (control.kind != Control::Kind::jump) {
      // Compared only: a stream that was unbound may be gone.
      const auto found = std::find_if(bound_.begin(), bound_.end(), [&](const Bound& each) {
        return each.stream == target.name;
      });
      if (found == bound_.end()) {
        return fail(Errc::not_bound, "model {}: a task starts a stream that is not bound to it", id_);
      }
      target.place.stream = static_cast<uint32_t>(found - bound_.begin());
      continue;
    }
    const auto label = labels_.find(target.name);
    if (label == labels_.end()) {
      return fail(Errc::invalid_argument, "model {}: label {}, to which a task jumps, is not set",
                  id_, fmt::ptr(target.name));
    }
    CANOPY_ASSIGN(target.place.stream, index_of(*label->second.first));
    target.place.position = label->second.second;
  }
  return {};
}

Result<> Model::make_runs() {
  for (const auto& [name, barrier] : barriers_) {
    if (barrier.waited_for && !barrier.signalled) {
      return fail(Errc::invalid_argument,
                  "model {}: barrier {} of kind {} is waited for, and no task of the model opens it",
                  id_, name.second, name.first);
    }
  }
  auto runs = std::make_unique<ModelRuns>(context_);
  for (const Bound& each : bound_) {
    auto run = std::make_unique<StreamRun>(*runs, *each.stream, each.head);
    for (const Sqe& task : run->tasks()) {
      if (Control* control = control_of(task)) {
        CANOPY_TRY(resolve(*control));
      }
    }
    runs->add(std::move(run));
  }
  find_events_to_clear(*runs);
  for (const auto& [name, barrier] : barriers_) {
    runs->clear_first(barrier.cell);
  }
  runs_ = std::move(runs);
  return {};
}

Result<> Model::build() {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(check_building());
  if (!has_head()) {
    return fail(Errc::invalid_argument,
                "model {}: of its {} streams none starts with the model", id_, bound_.size());
  }
  CANOPY_TRY(make_runs());
  built_ = true;
  for (const Bound& each : bound_) {
    each.stream->seal(kBuilt);
  }
  return {};
}

Result<ModelRuns*> Model::runs() {
  std::lock_guard lock(mutex_);
  if (!built_) {
    return fail(Errc::not_built, "model {} is not built yet: aclmdlRIBuildEnd comes first", id_);
  }
  if (!has_head()) {
    return fail(Errc::not_built, "model {}: of the {} streams that it has left none starts with the model", id_,
                bound_.size());
  }
  if (runs_ == nullptr) {
    CANOPY_TRY(make_runs());
  }
  return runs_.get();
}

bool Model::used() const {
  std::lock_guard lock(mutex_);
  return runs_ != nullptr && runs_->used();
}

void Model::leave(Strand& strand) {
  std::lock_guard lock(mutex_);
  if (runs_ != nullptr) {
    runs_->leave(strand);
  }
}

void Model::abort_all(AbortReason reason) {
  std::lock_guard lock(mutex_);
  if (runs_ != nullptr) {
    runs_->abort_all(reason);
  }
}

// ---- The end.

void Model::take_apart() {
  std::lock_guard lock(mutex_);
  runs_.reset();
  for (const Bound& each : bound_) {
    each.stream->bind_to(nullptr);
    each.stream->seal(nullptr);
  }
  bound_.clear();
}

Result<> Model::add_destroy_function(DestroyFunction function, void* data) {
  std::lock_guard lock(mutex_);
  for (const auto& each : destroy_functions_) {
    if (each.first == function) {
      return fail(Errc::invalid_argument, "model {}: the function is registered already", id_);
    }
  }
  destroy_functions_.emplace_back(function, data);
  return {};
}

Result<> Model::remove_destroy_function(DestroyFunction function) {
  std::lock_guard lock(mutex_);
  if (std::erase_if(destroy_functions_,
                    [&](const auto& each) { return each.first == function; }) == 0) {
    return fail(Errc::invalid_argument, "model {}: the function is not registered", id_);
  }
  return {};
}

void Model::call_destroy_functions() {
  std::vector<std::pair<DestroyFunction, void*>> functions;
  {
    std::lock_guard lock(mutex_);
    functions.swap(destroy_functions_);
  }
  for (const auto& [function, data] : functions) {
    function(data);
  }
}

}  // namespace canopy
