// Event: a handle to the newest record. Both families of the C API are this class; they differ in what
// holds before the first record.
//
// Thread-safe: lock_ guards the cell; a wait or query works on the cell that was newest when it began.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/device/event_bank.h"

#include <cstdint>

namespace canopy {

class Stream;

class Event {
 public:
  enum class Family : uint8_t { old_style, new_style };

  Event(int device, Family family, uint32_t flags, bool timed)
      : device_(device), family_(family), flags_(flags), timed_(timed) {}
  ~Event();

  Result<> record(Stream& stream);
  // Makes `stream` wait for the newest record; queues nothing when that is complete or the stream's own.
  Result<> wait(Stream& stream);
  // True when the newest record is complete; before any record: the family's answer.
  bool query();
  Result<> synchronize(Deadline deadline);
  // Nanoseconds on the monotonic clock. Errc: not_recorded, not_ready, no_timestamp.
  Result<uint64_t> timestamp_ns();
  int device() const { return device_; }
  Family family() const { return family_; }
  uint32_t flags() const { return flags_; }

 private:
  // The newest cell with a reference for the caller; null before the first record.
  EventCell* hold();

  const int device_;
  const Family family_;
  const uint32_t flags_;
  const bool timed_;
  SpinLock lock_;
  EventCell* newest_ = nullptr;
  const Stream* recorded_on_ = nullptr;  // compared only, never followed
};

}  // namespace canopy
