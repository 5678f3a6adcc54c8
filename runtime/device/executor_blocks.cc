// The part of Executor that blocks need now and then: unified buffers, and being watched.
#include "runtime/device/executor.h"

#include "runtime/device/scheduler.h"

#include <new>

namespace canopy {

void Executor::run_observed(Block& block) {
  const Launch& launch = *block.launch;
  DeviceCores& device = launch.strand->device();
  const uint32_t track = device.track(launch.kind, block.core);
  TraceScope span(launch.image->trace_name, device.device(), track, static_cast<int32_t>(block.index));
  if (TraceBuffer::cores_watched()) {
    device.clocks().begin(track);
  }
  launch.entry(launch.args);
  device.clocks().end(track);
}

void Executor::keep_unified_buffer(void* buffer) { unified_buffers_.push_back(buffer); }

void* Executor::take_unified_buffer(size_t bytes) {
  if (bytes > unified_buffer_bytes_) {
    for (void* buffer : unified_buffers_) {
      ::operator delete(buffer, std::align_val_t{512});
    }
    unified_buffers_.clear();
    unified_buffer_bytes_ = bytes;
  }
  if (!unified_buffers_.empty()) {
    void* buffer = unified_buffers_.back();
    unified_buffers_.pop_back();
    return buffer;
  }
  return ::operator new(unified_buffer_bytes_, std::align_val_t{512});
}

}  // namespace canopy
