// TaskMemory: what tasks may touch when they run, as the runtime's look-ups say; and how tasks that
// touch memory are queued so that they ask.
#pragma once

#include "runtime/core/stream.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/dma_scope.h"
#include "runtime/device/memory_watch.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

namespace canopy {

class Runtime;

class TaskMemory : public MemoryWatch {
 public:
  explicit TaskMemory(Runtime& runtime) : runtime_(runtime) {}

 private:
  std::string refuse_unknown(const TouchedRanges& ranges) const override;
  bool owner_is_gone(const TouchedRanges& ranges) const override;

  Runtime& runtime_;
};

// use(), while the ranges are there. Errc::invalid_argument: they are not any more; peer_lost: as their owner is gone. `frees`: of `watch`, from before
// they were checked.
template <class Use>
Result<> use_memory(const MemoryWatch& watch, uint64_t frees, const TouchedRanges& ranges, Use&& use) {
  TouchScope held(&watch, frees, ranges);
  if (!held.allowed()) [[unlikely]] {
    return fail(watch.owner_is_gone(ranges) ? Errc::peer_lost : Errc::invalid_argument, "{}", held.why());
  }
  return use();
}

// What a task reads of device memory when it runs. Errors as device_range() (core/memory.h), at that time.
Result<> read_when_running(Runtime& runtime, const char* what, const void* address, void* out, uint64_t bytes);

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
      TouchScope use(task.watch, task.frees, task.ranges);
      if (!use.allowed()) [[unlikely]] {
        task.strand->record_error(kCopyFault, std::move(use.why()));
        return;
      }
      const DmaScope engine(task.strand->device(), std::max(task.ranges.dst_bytes, task.ranges.src_bytes));
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
