// Driver: the devices of this process, and what it shares with other processes of the host.
//
// One object; the C APIs reach the current one through Driver::current(). Opening it costs a file and
// a read of /proc/meminfo: no device, no thread, no discovery. Executors start when the first device
// is opened. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/device.h"
#include "runtime/driver/device_reports.h"
#include "runtime/driver/host_table.h"
#include "runtime/driver/managed_memory.h"
#include "runtime/driver/physical_memory.h"
#include "runtime/driver/remote_memory.h"
#include "runtime/driver/sharing.h"
#include "runtime/driver/sync_pages.h"
#include "runtime/driver/virtual_memory.h"
#include "topology/model/machine.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace canopy {

class Scheduler;

class Driver {
 public:
  static Result<std::unique_ptr<Driver>> create();
  // The process's driver, created by the first call; a failed creation is tried again by the next.
  static Result<Driver*> current();
  ~Driver();

  const topology::Machine& machine() const { return machine_; }
  // For sentences about devices that are not there: its name, where it comes from, and what hides devices.
  std::string describe_machine() const;
  HostTable& host_table() { return *host_table_; }
  AddressSpace& address_space() { return address_space_; }
  // What this process and the host tell each other of devices.
  const DeviceReports& reports() const { return reports_; }
  // Reserved addresses, and what is mapped there.
  VirtualMemory& virtual_memory() { return virtual_memory_; }
  // What other processes of the host use of this one, and this one of theirs.
  Sharing& sharing() { return sharing_; }
  // Where notifies and events lie that processes share.
  SyncPages& sync_pages() { return sync_pages_; }

  // HBM of `device` as a memfd of its own: what exports and symmetric heaps are made of. A full device is
  // reclaimed first.
  Result<PhysicalMemory> allocate_physical(int device, uint64_t bytes);
  // Bytes free and in all on `device`, of all processes of the host.
  Result<std::pair<uint64_t, uint64_t>> memory_info(int device) const;
  Result<> check_device(int device) const;

  // Opens a device in this process (idempotent); it stays open until close_device(). Errc::device_lost.
  Result<Device*> open_device(int device);
  // REQUIRES: no stream of the device is left. Memory still allocated goes with it. The object stays for the
  // next open_device(): executors that look for blocks, and threads that look an address up, go through all
  // devices without a lock.
  void close_device(int device);
  Device* find_device(int device) const {
    return devices_[static_cast<size_t>(device)].load(std::memory_order_acquire);
  }
  // Whether a device was ever opened.
  bool has_scheduler() const { return scheduler_ != nullptr; }
  // REQUIRES: has_scheduler().
  Scheduler& scheduler() { return *scheduler_; }

  // Memory of other hosts. Null: nobody has filled the slot. The object outlives the driver's use of it: who fills the
  // slot lets every import end first, or keeps the object for ever.
  RemoteMemory* remote_memory() const { return remote_memory_.load(std::memory_order_acquire); }
  void set_remote_memory(RemoteMemory* remote) { remote_memory_.store(remote, std::memory_order_release); }
  // Which part of this host the process belongs to, for handles of kind FABRIC; 0: the host is one.
  // Set by who fills the slot above, where processes of this host are to take each other for
  // processes of others. Relaxed: set before anybody who knows of it exports or imports.
  uint32_t host_part() const { return host_part_.load(std::memory_order_relaxed); }
  void set_host_part(uint32_t part) { host_part_.store(part, std::memory_order_relaxed); }

  // Stack of a kernel's block, for executors that start later (they start with the first device).
  void set_block_stack(size_t bytes) { block_stack_.store(bytes, std::memory_order_relaxed); }
  size_t block_stack() const;

  // Pinned host memory of this process.
  Result<MemoryPool*> host_memory();
  // Memory of this process that host and devices share.
  Result<ManagedMemory*> managed_memory();
  // As above, but null when none was ever allocated.
  ManagedMemory* existing_managed_memory() const { return managed_memory_.load(std::memory_order_acquire); }
  // Gives back what this process keeps of `device` without using it.
  void reclaim(int device);
  // What layers above keep in pools of their own: called by reclaim(). REQUIRES: set once.
  void set_reclaimer(std::function<void(int device)> reclaimer);
  // What `address` is; nothing when it is not memory of ours.
  std::optional<MemoryRange> find_memory(const void* address) const;
  // Whether `address` lies where only memory of this process's devices, or pinned memory, can lie. Where
  // find_memory() then finds nothing, touching it faults or hits what nobody owns.
  bool is_pool_address(const void* address) const;
  // Stops the executors where they are, for the end of a process that did not finalize.
  void halt_at_exit();
  // Whether that has happened: nothing that is queued now will ever run.
  static bool halted() { return halted_.load(std::memory_order_relaxed); }

 private:
  Driver(topology::Machine machine, std::unique_ptr<HostTable> table, std::string seen);

  topology::Machine machine_;
  const std::string seen_;  // for sentences: what of it this process sees; "": all
  std::unique_ptr<HostTable> host_table_;
  const DeviceReports reports_{*host_table_};
  SyncPages sync_pages_;  // before what leases its pages
  Sharing sharing_{*host_table_};
  AddressSpace address_space_;
  VirtualMemory virtual_memory_{address_space_};
  std::mutex mutex_;  // guards opening, closing and the making of scheduler_ and the memories
  std::array<std::unique_ptr<Device>, kMaxDevices> made_;  // by the first open_device(); guarded by mutex_
  std::unique_ptr<Scheduler> scheduler_;
  std::atomic<Device*> devices_[kMaxDevices] = {};    // those open now
  std::atomic<Device*> ever_open_[kMaxDevices] = {};  // of made_, for look-ups
  static inline std::atomic<bool> halted_{false};
  std::atomic<RemoteMemory*> remote_memory_{nullptr};
  std::atomic<uint32_t> host_part_{0};
  std::atomic<size_t> block_stack_{0};  // 0: the scheduler's choice
  std::atomic<MemoryPool*> host_memory_{nullptr};
  std::atomic<ManagedMemory*> managed_memory_{nullptr};
  std::atomic<const std::function<void(int)>*> reclaimer_{nullptr};
};

}  // namespace canopy
