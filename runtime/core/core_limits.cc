#include "runtime/core/core_limits.h"

#include "runtime/core/runtime.h"

namespace canopy {
namespace {

// What mixed kernels have is bound by their cube cores.
uint32_t cores_of(const topology::Npu& npu, CoreKind kind) {
  return kind == CoreKind::vector ? npu.vector_cores : npu.cube_cores;
}

// The device of that number, open or not.
Result<const topology::Npu*> device_of(Runtime& runtime, int device) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_TRY(driver->check_device(device));
  return &driver->machine().npu(device);
}

}  // namespace

Result<> CoreLimits::check(const topology::Npu& device, CoreKind kind, uint32_t cores) const {
  if (cores == 0 || cores > cores_of(device, kind)) {
    return fail(Errc::out_of_range,
                "device {}: a limit of {} {} cores: it has {}, and at least 1 is wanted", device.id,
                cores, kind == CoreKind::vector ? "vector" : "cube", cores_of(device, kind));
  }
  return {};
}

uint32_t CoreLimits::or_device(const topology::Npu& device, uint32_t of_stream,
                               CoreKind kind) const {
  if (of_stream != 0) {
    return of_stream;
  }
  const uint32_t limit =
      of_device_[static_cast<size_t>(device.id)][slot(kind)].load(std::memory_order_relaxed);
  return limit != 0 ? limit : cores_of(device, kind);
}

Result<> CoreLimits::set_of_device(int device, CoreKind kind, uint32_t cores) {
  CANOPY_ASSIGN(const topology::Npu* found, device_of(runtime_, device));
  CANOPY_TRY(check(*found, kind, cores));
  of_device_[static_cast<size_t>(device)][slot(kind)].store(cores, std::memory_order_relaxed);
  runtime_.have_launches_ask_streams();
  return {};
}

Result<uint32_t> CoreLimits::of_device(int device, CoreKind kind) const {
  CANOPY_ASSIGN(const topology::Npu* found, device_of(runtime_, device));
  return or_device(*found, 0, kind);
}

Result<> CoreLimits::reset_device(int device) {
  CANOPY_TRY(device_of(runtime_, device));
  for (auto& limit : of_device_[static_cast<size_t>(device)]) {
    limit.store(0, std::memory_order_relaxed);
  }
  return {};
}

Result<> CoreLimits::set_of_stream(void* handle, CoreKind kind, uint32_t cores) {
  CANOPY_ASSIGN(Stream * stream, runtime_.live_stream(handle));
  CANOPY_TRY(check(stream->context().device().npu(), kind, cores));
  stream->set_core_limit(slot(kind), cores);
  runtime_.have_launches_ask_streams();
  return {};
}

Result<uint32_t> CoreLimits::of_stream(void* handle, CoreKind kind) const {
  CANOPY_ASSIGN(Stream * stream, runtime_.live_stream(handle));
  return for_launch(*stream, kind);
}

Result<> CoreLimits::reset_stream(void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.live_stream(handle));
  stream->set_core_limit(0, 0);
  stream->set_core_limit(1, 0);
  return {};
}

Result<> CoreLimits::use_stream(void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.live_stream(handle));
  t_used_stream_ = handle != nullptr ? handle : stream->context().default_stream();
  return {};
}

Result<> CoreLimits::stop_using(void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.live_stream(handle));
  if (t_used_stream_ != (handle != nullptr ? handle : stream->context().default_stream())) {
    return fail(Errc::invalid_argument, "this thread does not use the limits of stream {}",
                stream->id());
  }
  t_used_stream_ = nullptr;
  return {};
}

Result<uint32_t> CoreLimits::of_thread(CoreKind kind) const {
  if (t_used_stream_ != nullptr) {
    // A stream that is gone, or of a context that the thread has left, limits nothing.
    if (auto used = runtime_.find_stream(t_used_stream_)) {
      return for_launch(*used, kind);
    }
  }
  CANOPY_ASSIGN(Context * context, runtime_.current_context());
  return or_device(context->device().npu(), 0, kind);
}

uint32_t CoreLimits::for_launch(Stream& stream, CoreKind kind) const {
  return or_device(stream.context().device().npu(), stream.core_limit(slot(kind)), kind);
}

void CoreLimits::clear() {
  for (auto& device : of_device_) {
    for (auto& limit : device) {
      limit.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace canopy
