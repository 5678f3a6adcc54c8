// HostTable: what the processes of one user on one host share about devices. One file per uid and
// host view (/dev/shm/canopy-UID), under 256 KiB, no daemon.
//
// Every process that opens the table holds a slot. The slot is held by an OFD byte-range lock: lock
// gone = owner dead, whatever its pid was and in whatever pid namespace it lived. Each slot has one
// writer, its owner; used capacity is the sum over live owners. Reservations go through a robust
// mutex in the file. Whoever opens the file and is alone with it (exclusive lock on byte 0) resets
// it, so that `kill -9` of everybody leaves nothing that counts.
//
// Opening also attaches the host-wide SpinBudget. Thread-safe. Where /dev/shm cannot be written, the
// table is private to the process, which is said once in a warning.
#pragma once

#include "runtime/base/result.h"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace canopy {

inline constexpr int kMaxDevices = 64;

struct HostOwner {
  pid_t pid = 0;  // as the owner itself sees it
  std::string name;  // of the program
  std::vector<uint64_t> used_bytes;  // per device
  uint64_t open_devices = 0;         // bit d: device d is open
};

class HostTable {
 public:
  // Opens (and creates or resets, see above) the table of this uid. CANOPY_HOST_TABLE names another
  // file, for tests.
  static Result<std::unique_ptr<HostTable>> open();
  ~HostTable();

  // What this process calls device i is ids[i] to the host: for processes that see a part of the devices.
  // REQUIRES: called before the others, with at most kMaxDevices ids below kMaxDevices.
  void number_devices(const std::vector<int>& ids);
  // Adds `bytes` to this process's use of `device`, if all live owners together then stay within
  // `capacity`; else Errc::no_memory with the figures. `bytes` is rounded up to 2 MiB granules by
  // the caller.
  Result<> reserve(int device, uint64_t bytes, uint64_t capacity);
  // Takes back what reserve() added.
  void release(int device, uint64_t bytes);
  // Of all live owners together.
  uint64_t used_bytes(int device) const;
  void set_open(int device, bool open);
  // The live owners, this process included; dead slots met on the way are freed.
  std::vector<HostOwner> owners() const;
  const std::string& path() const;

 private:
  struct State;
  explicit HostTable(std::unique_ptr<State> state);
  // The host's number of a device, -1 for none.
  int at_host(int device) const;
  std::unique_ptr<State> state_;
  std::vector<int> host_ids_;  // empty: the same
};

}  // namespace canopy
