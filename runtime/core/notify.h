// Notify: a handle to a word of a device that streams record and wait for. Both kinds of the C API
// are this class: the plain one is the word with "set to 1" and "until 1, then 0" as its only
// operations.
//
// Thread-safe. Queued tasks keep the word: destroying the notify while they are pending is legal.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/id_pool.h"
#include "runtime/device/abi/sqe.h"

#include <cstdint>

namespace canopy {

class NotifyCell;
class Stream;

class Notify {
 public:
  enum class Kind : uint8_t { flag, counter };
  static const char* name_of(Kind kind) { return kind == Kind::flag ? "notify" : "counting notify"; }

  // `id`, its number on the device, goes back to `ids`, which outlives the notify.
  Notify(int device, Kind kind, uint32_t id, IdPool& ids);
  ~Notify();
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  // In stream order.
  void record(Stream& stream, NotifyChange change, uint32_t value);
  // In stream order: until the word is as wanted, `limit_s` seconds at most (0: without limit);
  // `clear`: the word is 0 afterwards.
  void wait(Stream& stream, NotifyTest test, uint32_t value, bool clear, uint32_t limit_s);
  // At once.
  void clear();

  int device() const { return device_; }
  Kind kind() const { return kind_; }
  uint32_t id() const { return id_; }

 private:
  const int device_;
  const Kind kind_;
  const uint32_t id_;
  IdPool& ids_;
  NotifyCell* const cell_;
};

}  // namespace canopy
