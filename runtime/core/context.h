// Context: the streams of one device that belong together, with a default stream of their own.
//
// The primary context of a device is shared by all threads that set the device and counted by
// Runtime; explicit ones belong to the user. Thread-safe.
//
// Once one of its streams is set to stop on failure, the context *stops* with the next task that fails: none of its
// streams runs another task, and who submits or synchronises gets that failure, until the context is gone.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/waiter.h"
#include "runtime/core/stream.h"
#include "runtime/core/system_parameters.h"
#include "runtime/driver/device.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

class Scheduler;

class Context final : public FailureSink {
 public:
  Context(Device& device, Scheduler& scheduler, bool primary)
      : device_(device), scheduler_(scheduler), primary_(primary) {}

  Device& device() { return device_; }
  int device_id() const { return device_.id(); }
  Scheduler& scheduler() const { return scheduler_; }
  bool primary() const { return primary_; }
  // Who destroys it asks first; one may. Under the lock that it is removed under.
  bool claim_end() { return !std::exchange(end_claimed_, true); }
  // Win over those of the process.
  SystemParameters& system_parameters() { return system_parameters_; }

  // Its streams, by handle; the default stream is the first. A stream is removed before it goes away.
  // False: the context has been closed, and the stream goes as it came.
  bool add_stream(void* handle, Stream* stream);
  void remove_stream(void* handle);
  std::vector<void*> streams() const;
  // The same; it gets no more.
  std::vector<void*> close();
  // Strands of the context that belong to no stream: those that run a model's tasks.
  void add_strand(Strand* strand);
  void remove_strand(Strand* strand);
  // The strand's tasks from here on run, unless the context has stopped. Its owner's, or of an idle one.
  void end_drop(Strand& strand);
  void* default_stream() const { return default_stream_; }
  Stream* default_stream_object() const { return default_object_; }
  void set_default_stream(void* handle, Stream* stream) {
    default_stream_ = handle;
    default_object_ = stream;
  }

  // Errc::invalid_argument: the stream is set to stop, which cannot be taken back.
  Result<> set_failure_mode(Stream& stream, bool stop);
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  // The failure that it has stopped with.
  Result<> check_running() const { return stopped() ? failure() : Result<>(); }
  void task_failed(Strand& strand, int32_t code, const std::string& sentence) override;

 private:
  Result<> failure() const;

  Device& device_;
  Scheduler& scheduler_;
  const bool primary_;
  bool end_claimed_ = false;
  SystemParameters system_parameters_;
  void* default_stream_ = nullptr;
  Stream* default_object_ = nullptr;
  struct Entry {
    void* handle;
    Stream* stream;
  };
  std::atomic<bool> stopped_{false};  // release: the failure is whole
  mutable std::mutex mutex_;          // guards all below
  bool closed_ = false;
  std::vector<Entry> streams_;
  std::vector<Strand*> strands_;
  bool stops_on_failure_ = false;
  int32_t failure_code_ = 0;
  int32_t failed_stream_ = 0;
  std::string failure_sentence_;
};

}  // namespace canopy
