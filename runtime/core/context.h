// Context: the streams of one device that belong together, with a default stream of their own.
//
// The primary context of a device is shared by all threads that set the device and counted by
// Runtime; explicit ones belong to the user. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/waiter.h"
#include "runtime/core/stream.h"
#include "runtime/core/system_parameters.h"
#include "runtime/driver/device.h"

#include <cstdint>
#include <mutex>
#include <vector>

namespace canopy {

class Scheduler;

class Context {
 public:
  Context(Device& device, Scheduler& scheduler, bool primary)
      : device_(device), scheduler_(scheduler), primary_(primary) {}

  Device& device() { return device_; }
  int device_id() const { return device_.id(); }
  Scheduler& scheduler() const { return scheduler_; }
  bool primary() const { return primary_; }
  // Win over those of the process.
  SystemParameters& system_parameters() { return system_parameters_; }

  // Its streams, by handle; the default stream is the first.
  void add_stream(void* handle);
  void remove_stream(void* handle);
  std::vector<void*> streams() const;
  void* default_stream() const { return default_stream_; }
  Stream* default_stream_object() const { return default_object_; }
  void set_default_stream(void* handle, Stream* stream) {
    default_stream_ = handle;
    default_object_ = stream;
  }

 private:
  Device& device_;
  Scheduler& scheduler_;
  const bool primary_;
  SystemParameters system_parameters_;
  void* default_stream_ = nullptr;
  Stream* default_object_ = nullptr;
  mutable std::mutex mutex_;  // guards streams_
  std::vector<void*> streams_;
};

}  // namespace canopy
