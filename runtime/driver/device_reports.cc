#include "runtime/driver/device_reports.h"

#include <cerrno>

namespace canopy {
namespace {

bool is_device(const std::optional<MemoryRange>& end) { return end && end->kind == MemoryKind::device && !end->remote; }
bool is_host(const std::optional<MemoryRange>& end) { return !end || end->kind == MemoryKind::pinned_host; }

}  // namespace

void DeviceReports::starting(int device) const {
  if (const int at = table_.host_id(device); at >= 0) {
    book_.note_starting(at);
  }
}

void DeviceReports::opened(const topology::Npu& npu) const {
  const int at = table_.host_id(npu.id);
  if (at < 0) {
    return;
  }
  book_.note_ready(at, {npu.soc, npu.pci_bus_id, npu.hbm_bytes, npu.cube_cores, npu.vector_cores, npu.aicpu_cores});
  book_.events().add(EventKind::open, at, 0, program_invocation_short_name);
}

void DeviceReports::closed(int device) const {
  if (const int at = table_.host_id(device); at >= 0) {
    book_.events().add(EventKind::close, at, 0, program_invocation_short_name);
  }
}

void DeviceReports::error(int device, DeviceError kind, EventKind event, uint64_t value, std::string_view text) const {
  if (const int at = table_.host_id(device); at >= 0) {
    book_.count_error(at, kind);
    book_.events().add(event, at, value, text);
  }
}

void DeviceReports::out_of_memory(int device, uint64_t bytes) const {
  error(device, DeviceError::out_of_memory, EventKind::out_of_memory, bytes, program_invocation_short_name);
}

void DeviceReports::copied(const std::optional<MemoryRange>& to, const std::optional<MemoryRange>& from,
                           uint64_t bytes) const {
  const int dst = is_device(to) ? table_.host_id(to->device) : -1;
  const int src = is_device(from) ? table_.host_id(from->device) : -1;
  if (dst >= 0 && src >= 0) {
    book_.count_copy(src, dst, bytes);
  } else if (dst >= 0 && is_host(from)) {
    book_.count_from_host(dst, bytes);
  } else if (src >= 0 && is_host(to)) {
    book_.count_to_host(src, bytes);
  }
}

bool DeviceReports::lost(int device) const {
  const int at = table_.host_id(device);
  return at >= 0 && book_.lost(at);
}

std::optional<DeviceReading> DeviceReports::read(int device) const {
  const int at = table_.host_id(device);
  return at < 0 ? std::nullopt : std::optional(book_.read(at));
}

uint32_t DeviceReports::resets(int device) const {
  const int at = table_.host_id(device);
  return at < 0 ? 0 : book_.resets(at);
}

tl::unexpected<Error> DeviceReports::refuse_lost(int device) const {
  return fail(Errc::device_lost,
              "device {} is lost (a fault that canopy smi has injected); canopy smi --clear -i {} ends that", device,
              table_.host_id(device));
}

Result<> DeviceReports::check_usable(int device) const {
  if (lost(device)) [[unlikely]] {
    return refuse_lost(device);
  }
  return {};
}

Result<> DeviceReports::check_link(int a, int b) const {
  const int first = table_.host_id(a);
  const int second = table_.host_id(b);
  if (first >= 0 && second >= 0 && book_.link_down(first, second)) [[unlikely]] {
    return fail(Errc::link_down,
                "the link between devices {} and {} is down (a fault that canopy smi has injected); canopy smi --clear -i {} "
                "ends that",
                a, b, first);
  }
  return {};
}

}  // namespace canopy
