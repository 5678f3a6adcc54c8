// Device: one simulated NPU as this process uses it: its cores and its memory pool. Opened by the
// driver, and kept by it when closed. Thread-safe.
#pragma once

#include "runtime/device/launch_board.h"
#include "runtime/driver/memory_pool.h"
#include "topology/model/machine.h"

#include <memory>

namespace canopy {

class Device {
 public:
  Device(const topology::Npu& npu, std::unique_ptr<MemoryPool> memory)
      : npu_(npu), cores_(npu.id, npu.cube_cores, npu.vector_cores, npu.ub_bytes, npu.aicpu_cores), memory_(std::move(memory)) {}

  int id() const { return npu_.id; }
  const topology::Npu& npu() const { return npu_; }
  DeviceCores& cores() { return cores_; }
  MemoryPool& memory() { return *memory_; }

 private:
  const topology::Npu npu_;
  DeviceCores cores_;
  std::unique_ptr<MemoryPool> memory_;
};

}  // namespace canopy
