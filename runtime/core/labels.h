// Labels: marks inside of streams that are bound to a model, and lists of them to jump by. By
// handle; they belong to the context that made them and go with it. Where a label is set the model
// knows (graph/model.h). Thread-safe.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace canopy {

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

  // Errc: stale_handle, label_context.
  Result<> check(void* label, void* context) const;
  // The first `count` labels of the list, for a switch by the word at `index`.
  Result<std::vector<void*>> check_switch(const void* index, uint32_t count, void* list,
                                          void* context) const;
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

  HandleTable<Label> labels_{8};
  HandleTable<List> lists_{9};
};

}  // namespace canopy
