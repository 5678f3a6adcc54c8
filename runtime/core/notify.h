// Notify: a handle to a word of a device that streams record and wait for. Both kinds of the C API
// are this class: the plain one is the word with "set to 1" and "until 1, then 0" as its only
// operations.
//
// Thread-safe. Queued tasks keep the word: destroying the notify while they are pending is legal.
//
// A plain one can be used by several processes: its creator hands a key out, and who imports it may record.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/id_pool.h"
#include "runtime/device/abi/sqe.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace canopy {

class Driver;
class NotifyCell;
class NotifyExport;
class NotifyImport;
class Stream;

class Notify {
 public:
  enum class Kind : uint8_t { flag, counter };
  static const char* name_of(Kind kind) { return kind == Kind::flag ? "notify" : "counting notify"; }

  // `id`, its number on the device, goes back to `ids`, which outlives the notify.
  Notify(int device, Kind kind, uint32_t id, IdPool& ids);
  // Another process's, which has the number `id` there; `cell` with its NotifyImport.
  Notify(int device, uint32_t id, NotifyCell* cell);
  ~Notify();
  // Its number is another's to have; what others still call does no harm.
  void give_number_back();
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  // In stream order. Errc::peer_lost: an imported one, whose creator is gone.
  Result<> record(Stream& stream, NotifyChange change, uint32_t value);
  // In stream order: until the word is as wanted, `limit_s` seconds at most (0: without limit);
  // `clear`: the word is 0 afterwards. Errc::invalid_argument: an imported one.
  Result<> wait(Stream& stream, NotifyTest test, uint32_t value, bool clear, uint32_t limit_s);
  // At once. REQUIRES: not imported.
  void clear();
  bool imported() const { return ids_ == nullptr; }

  // The key by which other processes import the notify: the same with every call. `listed_only`: only those that
  // allow() has named. Errc::invalid_argument: imported itself, or exported with the other kind of check.
  Result<std::string> export_key(Driver& driver, bool listed_only);
  // Errc::invalid_argument: not exported, or to all processes; an empty list, or no number of a process.
  Result<> allow(std::span<const int32_t> pids);

  int device() const { return device_; }
  Kind kind() const { return kind_; }
  uint32_t id() const { return id_; }

 private:
  NotifyExport* exported() const;
  const int device_;
  const Kind kind_;
  const uint32_t id_;
  std::atomic<bool> numbered_{true};
  IdPool* const ids_;  // null: the number is another process's
  NotifyCell* const cell_;
  std::mutex exporting_;  // held while the notify is exported
};

}  // namespace canopy
