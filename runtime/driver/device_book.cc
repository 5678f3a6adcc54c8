#include "runtime/driver/device_book.h"

#include "runtime/base/doorbell.h"
#include "runtime/driver/text_words.h"

#include <fmt/format.h>

#include <chrono>
#include <climits>

namespace canopy {

using host_table::DeviceRecord;
using host_table::kDeviceRecords;

namespace {

uint64_t wall_clock_ns() {
  return static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

Health health_of(uint32_t faults, uint64_t links_down) {
  if ((faults & host_table::kLost) != 0) {
    return Health::abnormal;
  }
  return faults != 0 || links_down != 0 ? Health::warning : Health::normal;
}

}  // namespace

std::string_view to_string(DeviceState state) {
  switch (state) {
    case DeviceState::off: return "off";
    case DeviceState::starting: return "starting";
    case DeviceState::ready: return "ready";
  }
  return "?";
}

std::string_view to_string(DeviceError error) {
  constexpr std::string_view kNames[kDeviceErrors] = {"kernel_fault",  "timeout", "aicpu_exception", "copy_fault",
                                                      "out_of_memory", "abort",   "ecc"};
  return kNames[static_cast<size_t>(error)];
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::normal: return "normal";
    case Health::warning: return "warning";
    case Health::abnormal: return "abnormal";
  }
  return "?";
}

uint64_t DeviceBook::links_down(int device) const {
  uint64_t down = load_acquire(&area_->devices[device].links_down);
  for (int peer = 0; peer < device; ++peer) {
    down |= link_down(peer, device) ? uint64_t{1} << peer : 0;
  }
  return down;
}

DeviceReading DeviceBook::read(int device) const {
  const DeviceRecord& record = area_->devices[device];
  DeviceReading reading;
  // Acquire: the facts are there; pairs with note_ready().
  reading.state = static_cast<DeviceState>(load_acquire(&record.state));
  const uint32_t faults = load_relaxed(&record.faults);
  reading.lost = (faults & host_table::kLost) != 0;
  reading.ecc = (faults & host_table::kEcc) != 0;
  reading.links_down = links_down(device);
  reading.health = health_of(faults, reading.links_down);
  reading.resets = load_relaxed(&record.resets);
  reading.started_ns = load_relaxed(&record.started_ns);
  reading.facts = {get_text(record.soc),
                   get_text(record.bus_id),
                   load_relaxed(&record.hbm_bytes),
                   load_relaxed(&record.cube_cores),
                   load_relaxed(&record.vector_cores),
                   load_relaxed(&record.aicpu_cores)};
  for (size_t i = 0; i < reading.errors.size(); ++i) {
    reading.errors[i] = load_relaxed(&record.errors[i]);
  }
  reading.from_host = load_relaxed(&record.from_host);
  reading.to_host = load_relaxed(&record.to_host);
  return reading;
}

// A process that was killed between the two leaves "starting" behind, until the next one opens the device.
void DeviceBook::note_starting(int device) const {
  uint32_t off = static_cast<uint32_t>(DeviceState::off);
  std::atomic_ref(area_->devices[device].state)
      .compare_exchange_strong(off, static_cast<uint32_t>(DeviceState::starting), std::memory_order_relaxed);
}

void DeviceBook::note_ready(int device, const DeviceFacts& facts) const {
  DeviceRecord& record = area_->devices[device];
  const auto ready = static_cast<uint32_t>(DeviceState::ready);
  if (load_acquire(&record.state) == ready) {
    return;
  }
  // Two who are first at a time both write, and normally the same.
  put_text(&record.soc, facts.soc);
  put_text(&record.bus_id, facts.bus_id);
  store_relaxed(&record.hbm_bytes, facts.hbm_bytes);
  store_relaxed(&record.cube_cores, facts.cube_cores);
  store_relaxed(&record.vector_cores, facts.vector_cores);
  store_relaxed(&record.aicpu_cores, facts.aicpu_cores);
  store_relaxed(&record.started_ns, wall_clock_ns());
  // Release: the facts; pairs with read().
  if (std::atomic_ref(record.state).exchange(ready, std::memory_order_acq_rel) != ready) {
    events().add(EventKind::start, device, facts.hbm_bytes, facts.soc);
  }
}

void DeviceBook::count_error(int device, DeviceError kind) const {
  add(&area_->devices[device].errors[static_cast<size_t>(kind)], 1);
}

// Release: the words that have changed; pairs with who looks at them because the news have changed. News are rare, so
// the wake is made whether anybody sleeps or not.
void DeviceBook::announce() const {
  std::atomic_ref(area_->news).fetch_add(1, std::memory_order_release);
  futex_wake(&area_->news, INT_MAX, BellScope::host);
}

void DeviceBook::await_news(uint32_t seen) const {
  futex_wait(&area_->news, seen, BellScope::host, std::chrono::nanoseconds::max());
}

void DeviceBook::inject_lost(int device) const {
  std::atomic_ref(area_->devices[device].faults).fetch_or(host_table::kLost, std::memory_order_release);
  events().add(EventKind::inject, device, 0, "lost");
  announce();
}

void DeviceBook::inject_ecc(int device) const {
  std::atomic_ref(area_->devices[device].faults).fetch_or(host_table::kEcc, std::memory_order_release);
  count_error(device, DeviceError::ecc);
  events().add(EventKind::inject, device, 1, "ecc: one memory error, corrected");
  announce();
}

void DeviceBook::inject_link_down(int a, int b) const {
  std::atomic_ref(area_->devices[std::min(a, b)].links_down).fetch_or(uint64_t{1} << std::max(a, b), std::memory_order_release);
  events().add(EventKind::inject, a, static_cast<uint64_t>(b), fmt::format("link to device {} is down", b));
  events().add(EventKind::inject, b, static_cast<uint64_t>(a), fmt::format("link to device {} is down", a));
  announce();
}

void DeviceBook::forget_faults(int device) const {
  DeviceRecord& record = area_->devices[device];
  uint64_t up = std::atomic_ref(record.links_down).exchange(0, std::memory_order_acq_rel);
  for (int peer = 0; peer < device; ++peer) {
    const uint64_t bit = uint64_t{1} << device;
    const uint64_t before =
        std::atomic_ref(area_->devices[peer].links_down).fetch_and(~bit, std::memory_order_acq_rel);
    up |= (before & bit) != 0 ? uint64_t{1} << peer : 0;
  }
  std::atomic_ref(record.faults).store(0, std::memory_order_release);
  for (size_t peer = 0; peer < kDeviceRecords; ++peer) {
    if ((up >> peer & 1) != 0) {
      events().add(EventKind::clear, static_cast<int>(peer), static_cast<uint64_t>(device),
                   fmt::format("link to device {} is up", device));
    }
  }
}

void DeviceBook::clear(int device) const {
  forget_faults(device);
  events().add(EventKind::clear, device, 0, "all faults of the device");
  announce();
}

void DeviceBook::reset(int device, bool in_use) const {
  DeviceRecord& record = area_->devices[device];
  forget_faults(device);
  for (uint64_t& counter : record.errors) {
    store_relaxed(&counter, 0);
  }
  store_relaxed(&record.from_host, 0);
  store_relaxed(&record.to_host, 0);
  for (size_t peer = 0; peer < kDeviceRecords; ++peer) {
    store_relaxed(&area_->link_bytes[device][peer], 0);
    store_relaxed(&area_->link_bytes[peer][device], 0);
  }
  store_relaxed(&record.started_ns, in_use ? wall_clock_ns() : 0);
  if (!in_use) {
    store_release(&record.state, static_cast<uint32_t>(DeviceState::off));
  }
  // Release: everything above; pairs with resets().
  const uint32_t before = std::atomic_ref(record.resets).fetch_add(1, std::memory_order_release);
  events().add(EventKind::reset, device, before + 1, in_use ? "while processes had it open" : "");
  announce();
}

}  // namespace canopy
