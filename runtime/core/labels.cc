#include "runtime/core/labels.h"

#include "runtime/core/call_scope.h"

#include <memory>
#include <utility>

namespace canopy {
Result<void*> Labels::create(void* context) {
  if (labels_.size() >= kLimit) {
    return fail(Errc::limit, "all {} labels of the process are in use", kLimit);
  }
  void* handle = labels_.insert(std::make_unique<Label>(Label{context}));
  if (handle == nullptr) {
    return fail(Errc::limit, "no more handles for labels");
  }
  return handle;
}

Result<> Labels::destroy(void* label) {
  std::unique_ptr<Label> ended = labels_.remove(label);
  if (ended == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live label", fmt::ptr(label));
  }
  keep_for_calls(std::move(ended));  // close_context() may be looking at it
  return {};
}

Result<> Labels::check(void* label, void* context) const {
  const Label* found = labels_.find(label);
  if (found == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live label", fmt::ptr(label));
  }
  if (found->context != context) {
    return fail(Errc::label_context, "label {} belongs to another context than the current one",
                fmt::ptr(label));
  }
  return {};
}

Result<void*> Labels::create_list(std::span<void* const> labels, void* context) {
  if (labels.empty()) {
    return fail(Errc::invalid_argument, "a list of 0 labels");
  }
  for (void* label : labels) {
    CANOPY_TRY(check(label, context));
  }
  void* handle =
      lists_.insert(std::make_unique<List>(List{context, {labels.begin(), labels.end()}}));
  if (handle == nullptr) {
    return fail(Errc::limit, "no more handles for lists of labels");
  }
  return handle;
}

Result<> Labels::destroy_list(void* list) {
  std::unique_ptr<List> ended = lists_.remove(list);
  if (ended == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live list of labels", fmt::ptr(list));
  }
  keep_for_calls(std::move(ended));
  return {};
}

Result<std::vector<void*>> Labels::check_switch(const void* index, uint32_t count, void* list,
                                                void* context) const {
  const List* found = lists_.find(list);
  if (found == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live list of labels", fmt::ptr(list));
  }
  if (found->context != context) {
    return fail(Errc::label_context,
                "the list of labels belongs to another context than the current one");
  }
  if (count == 0 || count > found->labels.size()) {
    return fail(Errc::invalid_argument, "a switch between {} labels by a list of {}", count,
                found->labels.size());
  }
  if (reinterpret_cast<uintptr_t>(index) % alignof(uint32_t) != 0) {
    return fail(Errc::misaligned, "{}: the index of a switch between labels is a word of 4 bytes",
                fmt::ptr(index));
  }
  for (void* label : found->labels) {
    CANOPY_TRY(check(label, context));
  }
  return std::vector<void*>(found->labels.begin(), found->labels.begin() + count);
}

void Labels::close_context(void* context) {
  for (void* handle : labels_.handles()) {
    if (const Label* label = labels_.find(handle); label != nullptr && label->context == context) {
      keep_for_calls(labels_.remove(handle));
    }
  }
  for (void* handle : lists_.handles()) {
    if (const List* list = lists_.find(handle); list != nullptr && list->context == context) {
      keep_for_calls(lists_.remove(handle));
    }
  }
}

}  // namespace canopy
