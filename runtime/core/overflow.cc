#include "runtime/core/overflow.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <algorithm>
#include <cstring>

namespace canopy {
namespace {

struct Status {
  void* output;
  uint64_t bytes;
  DeviceCores* device;
};

void write_status(const Status& status) {
  uint32_t words[FloatOverflow::kStatusBytes / sizeof(uint32_t)] = {};
  words[0] = status.device->overflow().status.load(std::memory_order_relaxed);
  std::memcpy(status.output, words, status.bytes);
}

}  // namespace

Result<> FloatOverflow::set_saturates(bool saturates) {
  CANOPY_ASSIGN(const int device, runtime_.current_device());
  saturates_[static_cast<size_t>(device)].store(saturates, std::memory_order_relaxed);
  runtime_.have_launches_ask_streams();
  return {};
}

Result<bool> FloatOverflow::saturates() {
  return runtime_.current_device().map([&](int device) { return device_saturates(device); });
}

Result<> FloatOverflow::get(void* output, uint64_t bytes, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.stream(handle));
  if (bytes < sizeof(uint64_t) || bytes > kStatusBytes) {
    return fail(Errc::invalid_argument, "an overflow status has {} bytes, not {}", kStatusBytes,
                bytes);
  }
  const uint64_t frees = runtime_.task_memory().frees();
  CANOPY_TRY(device_range(runtime_, "overflow status", output, bytes, LookUp::queued, Access::read_write));
  post_on_memory(*stream, runtime_.task_memory(), frees, {output, bytes, nullptr, 0}, write_status,
                 Status{output, bytes, &stream->context().device().cores()}, "overflow status");
  return {};
}

Result<> FloatOverflow::reset(void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.stream(handle));
  stream->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {[](void* device) {
                       static_cast<DeviceCores*>(device)->overflow().status.store(
                           0, std::memory_order_relaxed);
                     },
                     &stream->context().device().cores(), "overflow reset"};
  });
  return {};
}

Result<void*> FloatOverflow::address() {
  return runtime_.current_context().map(
      [](Context* context) -> void* { return &context->device().cores().overflow(); });
}

void FloatOverflow::clear() {
  for (auto& saturates : saturates_) {
    saturates.store(false, std::memory_order_relaxed);
  }
}

}  // namespace canopy
