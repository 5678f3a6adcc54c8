// Driver: the devices of this process, and what it shares with other processes of the host.
//
// One object; the C APIs reach the current one through Driver::current(). Opening it costs a file and
// a read of /proc/meminfo: no device, no thread, no discovery. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/host_table.h"
#include "runtime/driver/physical_memory.h"
#include "topology/model/machine.h"

#include <memory>
#include <mutex>
#include <vector>

namespace canopy {

class Device;

class Driver {
 public:
  static Result<std::unique_ptr<Driver>> create();
  // The process's driver, created by the first call; its error is given to every caller.
  static Result<Driver*> current();
  ~Driver();

  const topology::Machine& machine() const { return machine_; }
  HostTable& host_table() { return *host_table_; }
  AddressSpace& address_space() { return address_space_; }

  // HBM of `device` as a memfd of its own: what exports and symmetric heaps are made of.
  Result<PhysicalMemory> allocate_physical(int device, uint64_t bytes);
  // Bytes free and in all on `device`, of all processes of the host.
  Result<std::pair<uint64_t, uint64_t>> memory_info(int device) const;
  Result<> check_device(int device) const;

  // Opens a device in this process (idempotent) and keeps it until the driver goes.
  Result<Device*> open_device(int device);
  void close_device(int device);

 private:
  Driver(topology::Machine machine, std::unique_ptr<HostTable> table);

  topology::Machine machine_;
  std::unique_ptr<HostTable> host_table_;
  AddressSpace address_space_;
  std::mutex mutex_;  // guards devices_
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace canopy
