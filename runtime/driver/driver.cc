#include "runtime/driver/driver.h"

#include "runtime/base/check.h"
#include "runtime/base/env.h"
#include "runtime/base/printable.h"
#include "runtime/device/engine_stats.h"
#include "runtime/device/scheduler.h"
#include "topology/model/spec_file.h"
#include "topology/model/visible.h"

#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace canopy {

Driver::Driver(topology::Machine machine, std::unique_ptr<HostTable> table, std::string seen)
    : machine_(std::move(machine)), seen_(std::move(seen)), host_table_(std::move(table)) {}

Result<std::unique_ptr<Driver>> Driver::create() {
  CANOPY_ASSIGN(topology::Machine machine, topology::machine_from_environment());
  CANOPY_ASSIGN(std::unique_ptr<HostTable> table, HostTable::open());
  if (const auto list = env::text("ASCEND_RT_VISIBLE_DEVICES")) {
    const std::vector<int> ids = topology::parse_visible(*list, machine.count());
    std::string seen = fmt::format(", of whose {} devices ASCEND_RT_VISIBLE_DEVICES={} leaves {}", machine.count(),
                                   printable(*list), ids.size());
    machine = topology::visible_part(machine, ids);
    table->number_devices(ids);
    return std::unique_ptr<Driver>(new Driver(std::move(machine), std::move(table), std::move(seen)));
  }
  return std::unique_ptr<Driver>(new Driver(std::move(machine), std::move(table), ""));
}

Result<Driver*> Driver::current() {
  static std::mutex mutex;
  static std::atomic<Driver*> instance{nullptr};
  if (Driver* driver = instance.load(std::memory_order_acquire)) [[likely]] {
    return driver;
  }
  std::lock_guard lock(mutex);
  if (Driver* driver = instance.load(std::memory_order_relaxed)) {
    return driver;
  }
  CANOPY_ASSIGN(std::unique_ptr<Driver> fresh, create());
  // Leaked: executors and user threads may still use it while static destructors run.
  Driver* driver = fresh.release();
  instance.store(driver, std::memory_order_release);
  // A child of fork has no executors to halt, and mutex_ may be held by a thread it does not have.
  static const pid_t owner = ::getpid();
  std::atexit([] {
    if (::getpid() == owner) {
      instance.load(std::memory_order_relaxed)->halt_at_exit();
    }
  });
  return driver;
}

Driver::~Driver() {
  for (int device = 0; device < kMaxDevices; ++device) {
    close_device(device);
  }
  scheduler_.reset();
  delete host_memory_.load(std::memory_order_relaxed);
  delete managed_memory_.load(std::memory_order_relaxed);
  delete reclaimer_.load(std::memory_order_relaxed);
}

void Driver::halt_at_exit() {
  // Relaxed: for calls of this thread, in what is still to run at exit; others may be in the middle of something.
  halted_.store(true, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  if (scheduler_ != nullptr) {
    scheduler_->halt();
  }
}

std::string Driver::describe_machine() const {
  return fmt::format("machine '{}' ({}){}", machine_.name(), machine_.source(), seen_);
}

Result<> Driver::check_device(int device) const {
  if (machine_.count() == 0) {
    return fail(Errc::no_device, "no device: {}", describe_machine());
  }
  if (device < 0 || device >= machine_.count()) {
    return fail(Errc::bad_device, "device {} does not exist: there are 0 to {} of {}", device, machine_.count() - 1,
                describe_machine());
  }
  return {};
}

Result<PhysicalMemory> Driver::allocate_physical(int device, uint64_t bytes) {
  CANOPY_TRY(check_device(device));
  CANOPY_TRY(reports_.check_usable(device));
  const uint64_t capacity = machine_.npu(device).hbm_bytes;
  auto memory = PhysicalMemory::allocate(*host_table_, device, bytes, capacity);
  if (!memory && memory.error().code == Errc::no_memory) {
    error_text::take_newest();
    reclaim(device);
    memory = PhysicalMemory::allocate(*host_table_, device, bytes, capacity);
    if (!memory && memory.error().code == Errc::no_memory) {
      reports_.out_of_memory(device, bytes);
    }
  }
  return memory;
}

size_t Driver::block_stack() const {
  // Relaxed: a number, nothing else.
  const size_t set = block_stack_.load(std::memory_order_relaxed);
  return set != 0 ? set : Scheduler::default_stack_bytes();
}

void Driver::reclaim(int device) {
  // Acquire: the function is whole; pairs with set_reclaimer().
  if (const auto* reclaimer = reclaimer_.load(std::memory_order_acquire)) {
    (*reclaimer)(device);
  }
  if (Device* open = find_device(device)) {
    open->memory().trim();
  }
}

void Driver::set_reclaimer(std::function<void(int device)> reclaimer) {
  auto* kept = new std::function<void(int)>(std::move(reclaimer));
  CHECK(reclaimer_.exchange(kept, std::memory_order_acq_rel) == nullptr, "one layer keeps memory of devices");
}

Result<std::pair<uint64_t, uint64_t>> Driver::memory_info(int device) const {
  CANOPY_TRY(check_device(device));
  const uint64_t total = machine_.npu(device).hbm_bytes;
  const uint64_t used = host_table_->used_bytes(device);
  return std::pair(used < total ? total - used : 0, total);
}

Result<Device*> Driver::open_device(int id) {
  CANOPY_TRY(check_device(id));
  if (Device* device = find_device(id)) {
    return device;
  }
  std::lock_guard lock(mutex_);
  if (Device* device = find_device(id)) {
    return device;
  }
  CANOPY_TRY(reports_.check_usable(id));
  std::unique_ptr<Device>& made = made_[static_cast<size_t>(id)];
  if (made == nullptr) {
    const topology::Npu& npu = machine_.npu(id);
    CANOPY_ASSIGN(std::unique_ptr<MemoryPool> memory, MemoryPool::create(*host_table_, id, npu.hbm_bytes));
    if (scheduler_ == nullptr) {
      CANOPY_ASSIGN(scheduler_, Scheduler::create({.stack_bytes = block_stack_.load(std::memory_order_relaxed)}));
    }
    reports_.starting(id);  // from here on nothing fails
    made = std::make_unique<Device>(npu, std::move(memory));
    made->cores().show_as(host_table_->host_id(id));
    host_table_->announce_stats(EngineStats::instance().fd(), EngineStats::instance().inode());
    scheduler_->add_device(&made->cores());
  }
  host_table_->set_open(id, true);
  reports_.opened(machine_.npu(id));
  // Release (both): the device is whole before it can be found.
  ever_open_[id].store(made.get(), std::memory_order_release);
  devices_[id].store(made.get(), std::memory_order_release);
  return made.get();
}

void Driver::close_device(int id) {
  std::lock_guard lock(mutex_);
  Device* device = devices_[id].exchange(nullptr, std::memory_order_acq_rel);
  if (device != nullptr) {
    device->memory().release_all();
    host_table_->set_open(id, false);
    reports_.closed(id);
  }
}

Result<MemoryPool*> Driver::host_memory() {
  if (MemoryPool* pool = host_memory_.load(std::memory_order_acquire)) {
    return pool;
  }
  std::lock_guard lock(mutex_);
  if (MemoryPool* pool = host_memory_.load(std::memory_order_relaxed)) {
    return pool;
  }
  CANOPY_ASSIGN(std::unique_ptr<MemoryPool> pool, MemoryPool::create(*host_table_, kHostMemory, uint64_t{64} << 30));
  host_memory_.store(pool.get(), std::memory_order_release);
  return pool.release();
}

Result<ManagedMemory*> Driver::managed_memory() {
  if (ManagedMemory* memory = existing_managed_memory()) {
    return memory;
  }
  std::lock_guard lock(mutex_);
  if (ManagedMemory* memory = managed_memory_.load(std::memory_order_relaxed)) {
    return memory;
  }
  CANOPY_ASSIGN(std::unique_ptr<ManagedMemory> memory, ManagedMemory::create(*host_table_));
  // Release: pairs with existing_managed_memory().
  managed_memory_.store(memory.get(), std::memory_order_release);
  return memory.release();
}

bool Driver::is_pool_address(const void* address) const {
  for (int id = 0; id < machine_.count(); ++id) {
    Device* device = ever_open_[id].load(std::memory_order_acquire);
    if (device != nullptr && device->memory().contains(address)) {
      return true;
    }
  }
  MemoryPool* host = host_memory_.load(std::memory_order_acquire);
  const ManagedMemory* managed = existing_managed_memory();
  return (host != nullptr && host->contains(address)) || (managed != nullptr && managed->contains(address)) ||
         virtual_memory_.contains(address);
}

std::optional<MemoryRange> Driver::find_memory(const void* address) const {
  for (int id = 0; id < machine_.count(); ++id) {
    Device* device = find_device(id);
    if (device != nullptr && device->memory().contains(address)) {
      return device->memory().find(address);
    }
  }
  MemoryPool* host = host_memory_.load(std::memory_order_acquire);
  if (host != nullptr && host->contains(address)) {
    return host->find(address);
  }
  if (const ManagedMemory* managed = existing_managed_memory(); managed != nullptr && managed->contains(address)) {
    return managed->find(address);
  }
  return address_space_.find(address);
}

}  // namespace canopy
