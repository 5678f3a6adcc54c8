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

#include "runtime/base/peer_bell.h"
#include "runtime/base/result.h"
#include "runtime/driver/broker_name.h"
#include "runtime/driver/device_book.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace canopy {

inline constexpr int kMaxDevices = 64;

struct HostOwner {
  pid_t pid = 0;  // as the owner itself sees it; from a HostView as the viewer does, unless
  uint64_t pid_namespace = 0;  // this is not 0: then of that namespace, by its inode, into which the viewer cannot see
  std::string name;  // of the program
  std::vector<uint64_t> used_bytes;  // per device
  uint64_t open_devices = 0;         // bit d: device d is open
  // Of the memory file with its statistics (device/engine_stats.h), as the owner itself sees it; inode 0: none.
  int stats_fd = -1;
  uint64_t stats_inode = 0;

  bool uses(int device) const {
    return used_bytes[static_cast<size_t>(device)] != 0 || (open_devices >> device & 1) != 0;
  }
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
  // What the host calls this process's device, and the other way round; -1: this process does not see it.
  int host_id(int device) const;
  int local_id(int host_device) const;
  // Adds `bytes`, rounded up to 4 KiB, to this process's use of `device`, if all live owners together then stay
  // within `capacity`; else Errc::no_memory with the figures.
  Result<> reserve(int device, uint64_t bytes, uint64_t capacity);
  // Takes back what reserve() added.
  void release(int device, uint64_t bytes);
  // A name that one process of the host has at a time, until it drops it or ends. False: another has it.
  bool take_name(uint64_t name);
  void drop_name(uint64_t name);
  // Of all live owners together.
  uint64_t used_bytes(int device) const;
  void set_open(int device, bool open);
  // The live owners, this process included; dead slots met on the way are freed.
  std::vector<HostOwner> owners() const;
  const std::string& path() const;
  // What is known of devices, by the host's numbers (host_id()).
  DeviceBook devices() const;
  // From now on others find this process's statistics in its file `fd`.
  void announce_stats(int fd, uint64_t inode);

  // The number of this process's slot, below max_slots(): short, and known to all who share the table.
  uint32_t slot() const;
  // How often the slot had been taken before, modulo 256: tells its holders from each other.
  uint8_t age() const;
  static uint32_t max_slots();
  // What the slot says of its live holder; nothing: nobody holds it.
  struct Holder {
    pid_t pid = 0;  // as it sees itself
    uint64_t pid_namespace = 0;  // 0: not known
    uint8_t age = 0;
  };
  std::optional<Holder> holder_of(uint32_t slot) const;
  // From now on peers find this process's broker by its slot.
  void announce_broker(BrokerName name);
  // The broker of the process that holds `slot` now. Nothing: it has none, or nobody holds it. (A process
  // that was killed holds its slot until somebody notices.)
  std::optional<BrokerName> broker_of(uint32_t slot) const;
  // The bell of whoever holds `slot`, now or later; valid as long as this object. REQUIRES: slot < max_slots().
  PeerBell& bell_of(uint32_t slot) const;
  PeerBell& bell() const { return bell_of(slot()); }
  // False when no other process can see the table.
  bool is_shared() const;
  // Tells the table from all others, of this host or another one; as it was when it was opened.
  std::array<uint64_t, 2> identity() const;

 private:
  struct State;
  explicit HostTable(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  std::vector<int> host_ids_;  // empty: the same
};

}  // namespace canopy
