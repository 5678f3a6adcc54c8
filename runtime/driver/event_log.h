// EventLog: the newest events of a host's devices, in rings of the host table: 256 of all devices, and 16 of each, so that
// what one device suffers never pushes out all that another has.
//
// Lock-free. A writer takes the next number, and with it an entry of both rings; entries that are written over are
// counted as lost. A writer that was killed in between leaves a hole, which readers see and count. Any
// thread of any process.
#pragma once

#include "runtime/driver/device_area.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace canopy {

enum class EventKind : uint8_t {
  start = 1,      // the device is used for the first time, or again after a reset
  open,           // by a process
  close,
  died,           // an owner left without closing; value: bytes it held
  task_fault,     // a task failed; value: the fault's code
  out_of_memory,  // value: bytes wanted
  abort,          // of the tasks of a device, or a stream
  inject,
  clear,
  reset,
};
inline constexpr int kEventKinds = 11;
std::string_view to_string(EventKind kind);

struct DeviceEvent {
  uint64_t number = 0;  // counts all events since the table's reset
  uint64_t time_ns = 0;  // since 1970
  pid_t pid = 0;         // as the process sees itself
  int device = -1;       // the host's number
  EventKind kind{};
  uint64_t value = 0;
  std::string text;  // at most 56 bytes; ends in "~" when it was cut
};

class EventLog {
 public:
  explicit EventLog(host_table::DeviceArea* area) : area_(area) {}

  // Now, by this process.
  void add(EventKind kind, int device, uint64_t value, std::string_view text) const;
  // `pid`: whom it is about, as it sees itself.
  void add_of(pid_t pid, EventKind kind, int device, uint64_t value, std::string_view text) const;

  struct Reading {
    std::vector<DeviceEvent> events;  // oldest first
    uint64_t overwritten = 0;         // too old to be there still
    uint64_t holes = 0;               // being written, or whose writer was killed
    struct OfOne {
      uint64_t begun = 0;
      uint64_t holes = 0;
    };
    std::array<OfOne, host_table::kDeviceRecords> of_device{};
    // What is of `device`.
    Reading only(int device) const;
  };
  Reading read() const;

 private:
  host_table::DeviceArea* area_;
};

}  // namespace canopy
