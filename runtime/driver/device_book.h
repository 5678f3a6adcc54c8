// DeviceBook: the host table's records of devices, by the host's numbers: start-up, health, errors,
// traffic, and the events. What it says is the sum of all processes since the table was reset.
//
// Lock-free, any thread of any process. REQUIRES of every device: 0 <= device < kMaxDevices.
#pragma once

#include "runtime/driver/device_area.h"
#include "runtime/driver/event_log.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace canopy {

enum class DeviceState : uint32_t { off = 0, starting = 1, ready = 2 };
std::string_view to_string(DeviceState state);

enum class DeviceError : uint8_t {
  kernel_fault,     // of cube and vector cores
  timeout,          // of kernels and of streams' waits
  aicpu_exception,
  copy_fault,
  out_of_memory,
  abort,
  ecc,              // injected: nothing else corrects memory
};
inline constexpr int kDeviceErrors = 7;
std::string_view to_string(DeviceError error);

enum class Health : uint8_t {
  normal,
  warning,   // works, with something to look at: a link is down, memory was corrected
  abnormal,  // lost: nothing runs on it
};
std::string_view to_string(Health health);

struct DeviceFacts {
  std::string soc;
  std::string bus_id;
  uint64_t hbm_bytes = 0;
  uint32_t cube_cores = 0;
  uint32_t vector_cores = 0;
  uint32_t aicpu_cores = 0;
};

struct DeviceReading {
  DeviceState state = DeviceState::off;
  Health health = Health::normal;
  bool lost = false;
  bool ecc = false;
  uint64_t links_down = 0;  // bit p: the link to device p
  uint32_t resets = 0;
  uint64_t started_ns = 0;  // since 1970; 0: never
  DeviceFacts facts;        // of who opened it first; empty until then
  std::array<uint64_t, kDeviceErrors> errors{};
  uint64_t from_host = 0;  // bytes copied
  uint64_t to_host = 0;

  uint64_t error(DeviceError kind) const { return errors[static_cast<size_t>(kind)]; }
};

class DeviceBook {
 public:
  explicit DeviceBook(host_table::DeviceArea* area) : area_(area) {}

  EventLog events() const { return EventLog(area_); }
  DeviceReading read(int device) const;
  uint64_t link_bytes(int from, int to) const { return load_relaxed(&area_->link_bytes[from][to]); }

  // ---- By processes that use the device.
  // The device is about to be opened; then: it is open. The facts of who is first stay until a reset.
  void note_starting(int device) const;
  void note_ready(int device, const DeviceFacts& facts) const;
  void count_error(int device, DeviceError kind) const;
  void count_copy(int from, int to, uint64_t bytes) const { add(&area_->link_bytes[from][to], bytes); }
  void count_from_host(int device, uint64_t bytes) const { add(&area_->devices[device].from_host, bytes); }
  void count_to_host(int device, uint64_t bytes) const { add(&area_->devices[device].to_host, bytes); }
  // Acquire (all three): what came before the fault or the reset is visible.
  bool lost(int device) const { return (load_acquire(&area_->devices[device].faults) & host_table::kLost) != 0; }
  bool link_down(int a, int b) const {
    return (load_acquire(&area_->devices[std::min(a, b)].links_down) >> std::max(a, b) & 1) != 0;
  }
  uint32_t resets(int device) const { return load_acquire(&area_->devices[device].resets); }
  // Changes behind every change of these three.
  const uint32_t* news() const { return &area_->news; }
  // Has all who watch look, also at what is not told here: see orphan_counts.h.
  void announce() const;
  // Sleeps while it is `seen`. May return early for no reason. The word itself is the futex, so that a sleeper costs
  // nobody anything and needs no membarrier.
  void await_news(uint32_t seen) const;

  // ---- Faults on purpose, each with an event.
  void inject_lost(int device) const;
  void inject_ecc(int device) const;
  // In both directions. REQUIRES: a != b.
  void inject_link_down(int a, int b) const;
  // All faults of the device, its links' included.
  void clear(int device) const;
  // Counters and faults of the device are gone, and who has it open drops its work. `in_use`: somebody has.
  void reset(int device, bool in_use) const;

 private:
  static void add(uint64_t* counter, uint64_t value) {
    // Relaxed: a sum that orders nothing.
    std::atomic_ref(*counter).fetch_add(value, std::memory_order_relaxed);
  }
  uint64_t links_down(int device) const;
  void forget_faults(int device) const;

  host_table::DeviceArea* area_;
};

}  // namespace canopy
