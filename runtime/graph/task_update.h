// Tasks of models that are changed after they were queued: in the order of another stream, by what lies in
// device memory when that stream gets there.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/random.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;
class Stream;

// Task `number` of `stream`, which is bound to a model.
struct TaskName {
  Stream* stream;
  uint64_t number;
};

// The kernel that the entry at `entry` (64 bits) names in the binary, and the number of blocks at `blocks` (32
// bits). The arguments stay. Errc::not_updatable: the task is no kernel.
Result<> update_kernel(Runtime& runtime, TaskName task, void* binary, const void* entry,
                       const void* blocks, Stream& on);

// The description of random numbers, `bytes` of it at `memory`, which read() understands. Errc::not_updatable: the
// task draws none.
using ReadRandomRequest = Result<RandomRequest> (*)(const void* memory);
Result<> update_random(Runtime& runtime, TaskName task, const void* memory, size_t bytes,
                       ReadRandomRequest read, Stream& on);

}  // namespace canopy
