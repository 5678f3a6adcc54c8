// Labels: marks inside of streams that are bound to a model, and lists of them to jump by. By
// handle; they belong to the context that made them and go with it. Thread-safe.
//
// Streams cannot be bound to a model yet, so there is nothing that a label could be set in: set()
// and switch_by_index() check all they are given and then say so.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace canopy {

class Stream;

class Labels {
 public:
  static constexpr size_t kLimit = 65535;  // of the process

  // For the context of this handle. Errc::limit.
  Result<void*> create(void* context);
  // Lists that name the label are of no use from then on.
  Result<> destroy(void* label);
  // `labels` are live ones of the context; a list of none is invalid_argument.
  Result<void*> create_list(std::span<void* const> labels, void* context);
  Result<> destroy_list(void* list);

  // At the end of what `stream` holds. Errc::not_bound.
  Result<> set(void* label, Stream& stream, void* context);
  // In stream order: jumps to label min(*index, count - 1) of the list. Errc::not_bound.
  Result<> switch_by_index(const void* index, uint32_t count, void* list, Stream& stream,
                           void* context);
  // Labels and lists of the context are dead from then on.
  void close_context(void* context);

 private:
  struct Label {
    void* context;
  };
  struct List {
    void* context;
    std::vector<void*> labels;
  };
  // Errc: stale_handle, label_context.
  Result<> check(void* label, void* context) const;

  HandleTable<Label> labels_{8};
  HandleTable<List> lists_{9};
};

}  // namespace canopy
