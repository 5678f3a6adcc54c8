#include "runtime/core/exceptions.h"

#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"
#include "runtime/core/must_return.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/driver/driver.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

namespace canopy {
namespace {

thread_local bool t_is_telling = false;

// Nothing: no device took part.
std::optional<DeviceError> error_of(int32_t code) {
  const bool aicpu = core_of(code) == CoreKind::aicpu;
  switch (fault_of(code)) {
    case DeviceFault::trap:
    case DeviceFault::exception: return aicpu ? DeviceError::aicpu_exception : DeviceError::kernel_fault;
    case DeviceFault::timeout:
    case DeviceFault::wait_timeout: return DeviceError::timeout;
    case DeviceFault::copy: return DeviceError::copy_fault;
    case DeviceFault::no_report_thread:
    case DeviceFault::model_abort:
    case DeviceFault::peer_lost: break;
  }
  return std::nullopt;
}

void report_to_host(const TaskFault& fault) {
  const auto kind = error_of(fault.code);
  const auto driver = Driver::current();
  if (kind && driver) {
    (*driver)->reports().error(
        fault.device, *kind, EventKind::task_fault, static_cast<uint64_t>(fault.code),
        fmt::format("{}: {}", to_string(*kind),
                    fault.image != nullptr ? fault.image->name : fmt::format("stream {} task {}", fault.stream, fault.task)));
  }
}

}  // namespace

// Not with the first failure: that comes on an executor, which has nobody to tell that there is no thread.
Result<> Exceptions::ensure_thread() {
  if (thread_.joinable() || stopping_.load(std::memory_order_relaxed)) {
    return {};
  }
  return start_thread(&thread_, "callbacks that tell of failed tasks", [this] { thread_main(); });
}

Result<> Exceptions::add(aclrtExceptionInfoCallback callback) {
  std::lock_guard lock(mutex_);
  CANOPY_TRY(ensure_thread());
  if (std::find(registered_.begin(), registered_.end(), callback) == registered_.end()) {
    registered_.push_back(callback);
    listeners_.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

bool Exceptions::remove(aclrtExceptionInfoCallback callback) {
  std::lock_guard lock(mutex_);
  if (std::erase(registered_, callback) == 0) {
    return false;
  }
  listeners_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

Result<> Exceptions::set_single(aclrtExceptionInfoCallback callback) {
  std::lock_guard lock(mutex_);
  if (callback != nullptr) {
    CANOPY_TRY(ensure_thread());
  }
  listeners_.fetch_add((callback != nullptr) - (single_ != nullptr), std::memory_order_relaxed);
  single_ = callback;
  return {};
}

Result<> Exceptions::set_of_binary(void* binary, aclrtOpExceptionCallback callback, void* data) {
  std::lock_guard lock(mutex_);
  if (callback != nullptr) {
    CANOPY_TRY(ensure_thread());
  }
  const bool there = of_binaries_.erase(binary) != 0;
  if (callback != nullptr) {
    of_binaries_[binary] = {callback, data};
  }
  listeners_.fetch_add((callback != nullptr) - there, std::memory_order_relaxed);
  return {};
}

void Exceptions::clear() {
  std::lock_guard lock(mutex_);
  registered_.clear();
  single_ = nullptr;
  of_binaries_.clear();
  listeners_.store(0, std::memory_order_relaxed);
}

void Exceptions::task_failed(TaskFault fault) {
  report_to_host(fault);
  if (listeners_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (stopping_.load(std::memory_order_relaxed)) {
      return;
    }
    queue_.push_back(std::move(fault));
    // Release: pairs with await(), whose caller learns of the failure from the task's completion behind this.
    queued_.store(queued_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  work_bell_.ring(BellScope::process);
}

void Exceptions::await() {
  const uint64_t target = queued_.load(std::memory_order_acquire);
  if (t_is_telling) {
    return;
  }
  // Acquire: what the callbacks did is visible; pairs with thread_main().
  const auto told = [&] { return told_.load(std::memory_order_acquire) >= target || stopping_.load(std::memory_order_acquire); };
  if (wait_until(told, &told_bell_, BellScope::process, Deadline::user_default(),
                 [] { return std::string("the exception callbacks of a task that has failed"); }) == WaitEnd::deadline) {
    log(LogLevel::error, "CANOPY_TIMEOUT: the exception callbacks of a task that has failed have not returned; nobody waits for them");
  }
}

void Exceptions::stop() {
  {
    std::lock_guard lock(mutex_);  // nobody starts the thread behind this
    stopping_.store(true, std::memory_order_release);
  }
  work_bell_.ring(BellScope::process);
  told_bell_.ring(BellScope::process);
  if (!thread_.joinable()) {
    return;
  }
  // A callback may be what ends the process, or hang.
  const WaitEnd end = t_is_telling ? WaitEnd::deadline
                                   : wait_until([&] { return ended_.load(std::memory_order_acquire); }, nullptr,
                                                BellScope::process, Deadline::after(std::chrono::seconds(2)),
                                                [] { return std::string("an exception callback to end"); });
  if (end == WaitEnd::ready) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool Exceptions::take(TaskFault* fault) {
  std::lock_guard lock(mutex_);
  if (queue_.empty()) {
    return false;
  }
  *fault = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Exceptions::thread_main() {
  pthread_setname_np(pthread_self(), "canopy-faults");
  t_is_telling = true;
  while (!stopping_.load(std::memory_order_acquire)) {
    TaskFault fault;
    if (take(&fault)) {
      tell(std::move(fault));
      // Release: what the callbacks did; pairs with await().
      told_.store(told_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      told_bell_.ring(BellScope::process);
      continue;
    }
    work_bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(), [this] {
      return told_.load(std::memory_order_relaxed) == queued_.load(std::memory_order_acquire) &&
             !stopping_.load(std::memory_order_acquire);
    });
  }
  ended_.store(true, std::memory_order_release);
}

void Exceptions::tell(TaskFault fault) {
  ExceptionInfo info{std::move(fault)};
  Owner owner;
  if (info.fault.image != nullptr) {
    owner = find_owner_(info.fault.image);
    info.function = owner.function;
  }
  std::vector<aclrtExceptionInfoCallback> callbacks;
  OfBinary of_binary;
  {
    std::lock_guard lock(mutex_);
    callbacks = registered_;
    if (single_ != nullptr) {
      callbacks.insert(callbacks.begin(), single_);
    }
    if (const auto found = of_binaries_.find(owner.binary); owner.binary != nullptr && found != of_binaries_.end()) {
      of_binary = found->second;
    }
  }
  auto* opaque = reinterpret_cast<aclrtExceptionInfo*>(&info);
  must_return("an exception callback", [&] {
    for (const auto callback : callbacks) {
      callback(opaque);
    }
    if (of_binary.callback != nullptr) {
      of_binary.callback(opaque, of_binary.data);
    }
  });
}

}  // namespace canopy
