// DeviceReports: what this process tells the host of its devices - errors, traffic, who opens them -
// and what the host tells it: devices that were lost, links that are down, resets. By this process's
// numbers of devices; one that it does not see is nobody's, and what is said of it is dropped.
//
// Thread-safe and lock-free. None of this lies on the way of a launch.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/host_table.h"
#include "topology/model/machine.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace canopy {

class DeviceReports {
 public:
  // REQUIRES: `table` outlives it.
  explicit DeviceReports(const HostTable& table) : table_(table), book_(table.devices()) {}

  // ---- What is told.
  void starting(int device) const;
  void opened(const topology::Npu& npu) const;
  void closed(int device) const;
  // Counts it, with an event.
  void error(int device, DeviceError kind, EventKind event, uint64_t value, std::string_view text) const;
  void out_of_memory(int device, uint64_t bytes) const;
  // A copy, by what lies at its ends; nothing: pageable memory of the host. Counted are copies between
  // devices, within one, and between a device and the host; of managed memory nobody knows where it is.
  void copied(const std::optional<MemoryRange>& to, const std::optional<MemoryRange>& from, uint64_t bytes) const;

  // ---- What is heard.
  // Changes with every fault, clearing and reset on the host.
  // The word stays where it is.
  const uint32_t* news_word() const { return book_.news(); }
  void await_news(uint32_t seen) const { book_.await_news(seen); }
  bool lost(int device) const;
  // How often the device has been reset; see DeviceBook::resets().
  uint32_t resets(int device) const;
  // All that is known of it; nothing: this process does not see the device.
  std::optional<DeviceReading> read(int device) const;
  // Errc::device_lost.
  Result<> check_usable(int device) const;
  tl::unexpected<Error> refuse_lost(int device) const;
  // Errc::link_down.
  Result<> check_link(int a, int b) const;

 private:
  const HostTable& table_;
  const DeviceBook book_;
};

}  // namespace canopy
