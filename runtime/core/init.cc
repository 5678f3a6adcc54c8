// Runtime: init and finalize.
#include "runtime/core/runtime.h"

#include "runtime/core/call_scope.h"
#include "runtime/core/callback_scope.h"

#include <mutex>
#include <utility>
#include <vector>

namespace canopy {

Result<> Runtime::init(const char* config_path) {
  std::lock_guard lock(mutex_);
  Configuration configuration = configuration_;
  if (config_path != nullptr && *config_path != '\0') {
    CANOPY_ASSIGN(configuration, Configuration::read(config_path));
    if (init_count_ != 0 && configuration.text != configuration_.text) {
      return fail(Errc::invalid_argument, "aclInit: '{}' differs from the configuration of the first aclInit", config_path);
    }
  }
  CANOPY_ASSIGN(Driver * current, driver());
  if (init_count_ == 0) {
    for (int limit = 0; limit < DeviceLimits::kCount; ++limit) {
      if (const size_t value = configuration.device_limits[static_cast<size_t>(limit)]; value != 0) {
        CANOPY_TRY(device_limits_.set(*current, limit, value));
      }
    }
  }
  set_configuration(std::move(configuration));
  if (++init_count_ > 1) {
    return fail(Errc::already_initialized, "aclInit was called {} times; the runtime was ready after the first",
                init_count_);
  }
  return {};
}

// REQUIRES: mutex_ held.
void Runtime::set_configuration(Configuration configuration) {
  configuration_ = std::move(configuration);
  // Relaxed: a number, nothing else.
  default_device_.store(configuration_.default_device, std::memory_order_relaxed);
}

uint64_t Runtime::init_count() const {
  std::lock_guard lock(mutex_);
  return init_count_;
}

Configuration Runtime::configuration() const {
  std::lock_guard lock(mutex_);
  return configuration_;
}

Result<> Runtime::finalize() {
  CANOPY_TRY(CallbackScope::refuse("finalizing"));
  std::unique_lock lock(mutex_);
  if (init_count_ == 0) {
    return fail(Errc::not_initialized, "aclFinalize without aclInit, or called twice");
  }
  init_count_ = 0;
  return tear_down(lock).tell("the runtime was finalized all the same");
}

Result<uint64_t> Runtime::finalize_reference() {
  CANOPY_TRY(CallbackScope::refuse("finalizing"));
  std::unique_lock lock(mutex_);
  if (init_count_ == 0) {
    return fail(Errc::not_initialized, "aclFinalizeReference without aclInit");
  }
  const uint64_t left = --init_count_;
  if (left == 0) {
    CANOPY_TRY(tear_down(lock).tell("the runtime was finalized all the same"));
  }
  return left;
}

// REQUIRES: `lock` holds mutex_.
CallbackFailure Runtime::tear_down(std::unique_lock<std::mutex>& lock) {
  CallbackFailure failure;
  const std::vector<int> devices = devices_with_references();
  const auto tell = [&](aclrtDeviceState state) {
    lock.unlock();  // callbacks may call anything
    for (const int device : devices) {
      device_callbacks_.call(&failure, device, state);
    }
    lock.lock();
  };
  tell(ACL_RT_DEVICE_STATE_RESET_PRE);
  // All streams before the first device closes: those of one device may be at work on another's memory.
  for (int device = 0; device < kMaxDevices; ++device) {
    notifies_.close_imports(device);
  }
  if (auto current = driver(); current && (*current)->has_scheduler() && (*current)->scheduler().peer_news().has_loss()) {
    (*current)->sharing().take_leave();  // who is left is not to wait for one that has given up
  }
  lock.unlock();
  const std::vector<void*> streams = streams_.handles();
  for (void* handle : streams) {
    with_stream(handle, [](Stream& stream) { stream.leave_lost_waits(); });
  }
  for (void* handle : streams) {
    with_stream(handle, [](Stream& stream) {
      if (!stream.stored()) {
        stream.drain_for_good();
      }
    });
  }
  lock.lock();
  for (Primary& primary : primaries_) {
    primary = Primary{};
  }
  for (void* handle : contexts_.handles()) {
    release_context(handle, lock, &failure);
  }
  for (void* handle : events_.handles()) {
    end_event(handle);
  }
  function_handles_.clear();
  kernel_args_.clear();
  core_limits_.clear();
  float_overflow_.clear();
  launches_ask_streams_.store(false, std::memory_order_relaxed);
  for (void* handle : functions_.handles()) {
    keep_for_calls(functions_.remove(handle));
  }
  for (void* handle : binaries_.handles()) {
    keep_for_calls(binaries_.remove(handle));
  }
  for (int device = 0; device < kMaxDevices; ++device) {
    close_unused_device(device);
  }
  if (auto current = driver()) {
    registrations_.clear(**current);
    (*current)->virtual_memory().release_unused();
    if ((*current)->has_scheduler()) {
      (*current)->scheduler().peer_news().forget_loss();
    }
    if (ManagedMemory* managed = (*current)->existing_managed_memory()) {
      managed->release_all();
    }
  }
  set_wait_limit(0);
  kernel_limit_.set_us(0);
  exceptions_.clear();
  set_configuration(Configuration());
  tell(ACL_RT_DEVICE_STATE_RESET_POST);
  return failure;
}

}  // namespace canopy
