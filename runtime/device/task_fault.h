// TaskFault: what is known of a task that failed, for those above who tell the program.
#pragma once

#include "runtime/device/abi/kernel_image.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace canopy {

struct TaskFault {
  int32_t code = 0;  // abi/fault_code.h
  int32_t device = 0;
  int32_t stream = 0;
  uint64_t task = 0;       // how many tasks of the stream were queued before it
  uint16_t submitter = 0;  // as the queue entry says
  // Of kernels; null: another task.
  const KernelImage* image = nullptr;  // its binary may be gone by now
  uint32_t args_bytes = 0;
  const void* args = nullptr;        // memory of the program's; null: own_args
  std::vector<std::byte> own_args;   // a copy, when they lay in the queue
};

class FaultSink {
 public:
  virtual ~FaultSink() = default;
  // Any thread of the runtime. Must not wait for tasks or for threads of the program: the task is not over yet.
  virtual void task_failed(TaskFault fault) = 0;
};

// One for the process, which outlives every device; null: none.
void set_fault_sink(FaultSink* sink);
FaultSink* fault_sink();

}  // namespace canopy
