// TaskMemory: what tasks may touch when they run, as the runtime's look-ups say; and how tasks that
// touch memory are queued so that they ask.
#pragma once

#include "runtime/core/stream.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/dma_scope.h"
#include "runtime/device/memory_watch.h"

#include <cstddef>
#include <new>
#include <utility>

namespace canopy {

class Runtime;

class TaskMemory : public MemoryWatch {
 public:
  explicit TaskMemory(Runtime& runtime) : runtime_(runtime) {}
  std::string refuse(const void* dst, uint64_t dst_bytes, const void* src,
                     uint64_t src_bytes) const override;

 private:
  Runtime& runtime_;
};

// Two ranges that a task touches: written and read; either may be null.
struct TouchedRanges {
  const void* dst;
  uint64_t dst_bytes;
  const void* src;
  uint64_t src_bytes;
};

// Queues run(a copy of `argument`), which a copy engine of the stream's device does, behind the check that `ranges` are
// still there. `frees`: of
// `watch`, from before the ranges were checked.
template <class Argument>
void post_on_memory(Stream& stream, const MemoryWatch& watch, uint64_t frees,
                    const TouchedRanges& ranges, void (*run)(const Argument&),
                    const Argument& argument, const char* what) {
  struct Task {
    const MemoryWatch* watch;
    uint64_t frees;
    TouchedRanges ranges;
    Strand* strand;
    void (*run)(const Argument&);
    Argument argument;
    static void call(void* memory) {
      const auto& task = *static_cast<const Task*>(memory);
      if (task.watch->frees() != task.frees) [[unlikely]] {
        const TouchedRanges& r = task.ranges;
        if (std::string why = task.watch->refuse(r.dst, r.dst_bytes, r.src, r.src_bytes);
            !why.empty()) {
          task.strand->record_error(kCopyFault, std::move(why));
          return;
        }
      }
      const DmaScope engine(task.strand->device());
      task.run(task.argument);
    }
  };
  stream.post(sizeof(Task), [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {Task::call,
                     new (memory) Task{&watch, frees, ranges, &stream.strand(), run, argument},
                     what};
  });
}

}  // namespace canopy
