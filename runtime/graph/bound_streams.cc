#include "runtime/graph/bound_streams.h"

#include "runtime/core/copy_indirect.h"
#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"
#include "runtime/graph/models.h"

#include <vector>

namespace canopy {
namespace {

Result<std::shared_ptr<Model>> model_of(const Stream& stream) {
  return Models::instance().of_stream(stream);
}

// In device memory, at a multiple of its size.
Result<> check_word(Runtime& runtime, const char* what, const void* word, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(word) % bytes != 0) {
    return fail(Errc::misaligned, "{} ({}) is not at a multiple of {}", what, fmt::ptr(word),
                bytes);
  }
  CANOPY_TRY(device_range(runtime, what, word, bytes));
  return {};
}

}  // namespace

Result<> set_label(Runtime& runtime, void* label, Stream& stream) {
  CANOPY_ASSIGN(void* context, runtime.current_context_handle());
  CANOPY_TRY(runtime.labels().check(label, context));
  CANOPY_ASSIGN(const auto model, model_of(stream));
  return model->set_label(label, stream);
}

Result<> switch_label(Runtime& runtime, const void* index, uint32_t count, void* list,
                      Stream& stream) {
  CANOPY_ASSIGN(void* context, runtime.current_context_handle());
  CANOPY_ASSIGN(const std::vector<void*> labels,
                runtime.labels().check_switch(index, count, list, context));
  CANOPY_ASSIGN(const auto model, model_of(stream));
  Control jump{Control::Kind::jump};
  jump.left = index;
  jump.frees = runtime.task_memory().frees();
  CANOPY_TRY(check_word(runtime, "the index of a switch", index, sizeof(uint32_t)));
  const std::vector<const void*> names(labels.begin(), labels.end());
  post_control(stream, jump, names);
  return {};
}

Result<> activate_stream(Stream& target, Stream& stream) {
  CANOPY_ASSIGN(const auto model, model_of(stream));
  CANOPY_TRY(model->check_stream(target));
  const void* const name = &target;
  post_control(stream, Control{Control::Kind::activate}, std::span(&name, 1));
  return {};
}

Result<> switch_stream(Runtime& runtime, const Comparison& comparison, Stream& target,
                       Stream& stream) {
  CANOPY_ASSIGN(const auto model, model_of(stream));
  CANOPY_TRY(model->check_stream(target));
  const size_t bytes = comparison.wide ? sizeof(int64_t) : sizeof(int32_t);
  Control branch{Control::Kind::branch};
  branch.condition = comparison.condition;
  branch.wide = comparison.wide;
  branch.left = comparison.left;
  branch.right = comparison.right;
  branch.frees = runtime.task_memory().frees();
  CANOPY_TRY(check_word(runtime, "left word of a comparison", comparison.left, bytes));
  CANOPY_TRY(check_word(runtime, "right word of a comparison", comparison.right, bytes));
  const void* const name = &target;
  post_control(stream, branch, std::span(&name, 1));
  return {};
}

Result<> maintain_cache(Runtime& runtime, const void* address, size_t bytes, bool prefetch,
                        BarrierWait opens, Stream& stream, void* handle) {
  CANOPY_ASSIGN(const auto model, model_of(stream));
  CANOPY_TRY(device_range(runtime, "range", address, bytes));
  if (prefetch) {
    CANOPY_TRY(prefetch_to_cache(runtime, address, bytes, handle));
  }
  return model->post_barrier(stream, {opens.kind, opens.number});
}

Result<> wait_for_barriers(std::span<const BarrierWait> barriers, Stream& stream) {
  CANOPY_ASSIGN(const auto model, model_of(stream));
  for (const BarrierWait& each : barriers) {
    CANOPY_TRY(model->post_barrier_wait(stream, {each.kind, each.number}));
  }
  return {};
}

Result<> clean_stream(Stream& stream) {
  if (!stream.stored()) {
    return fail(Errc::invalid_argument, "stream {} was made without ACL_STREAM_PERSISTENT",
                stream.id());
  }
  if (stream.model() != nullptr) {
    CANOPY_ASSIGN(const auto model, model_of(stream));
    return model->clean(stream);
  }
  stream.discard_stored();
  return {};
}

}  // namespace canopy
