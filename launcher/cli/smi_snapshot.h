// What `canopy smi` shows: the machine, and what the host table says of its devices and of the processes
// that use them, at one moment. Values: read once, then formatted.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/host_view.h"
#include "topology/model/machine.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace canopy::cli {

// Of their time, by the work of all processes together.
struct SmiShares {
  uint32_t cube_percent = 0;
  uint32_t vector_percent = 0;
  uint32_t aicpu_percent = 0;
  uint32_t dma_percent = 0;
};

struct SmiDevice {
  int id = 0;  // the host's
  std::string soc;
  std::string bus_id;
  uint64_t hbm_bytes = 0;
  uint64_t used_bytes = 0;
  DeviceReading reading;
  std::optional<SmiShares> shares;  // nothing: a process that uses it cannot be looked into
  uint64_t errors() const;
};

struct SmiProcess {
  int device = 0;
  pid_t pid = 0;  // as HostOwner's, and
  uint64_t pid_namespace = 0;
  std::string name;
  uint64_t used_bytes = 0;
};

struct SmiSnapshot {
  topology::Machine machine;
  std::string chosen_by;  // how the machine was chosen
  std::string table;      // its path; "" when there is none
  uint64_t time_ns = 0;   // since 1970
  std::vector<SmiDevice> devices;      // by id; those of the machine, and what else the table knows
  std::vector<SmiProcess> processes;   // by device, then pid
  std::vector<std::array<uint64_t, kMaxDevices>> link_bytes;  // [from][to], for the machine's devices
  EventLog::Reading events;

  // Null: there is no such device.
  const SmiDevice* find(int id) const;
};

// The machine that `spec` names, "": that of the environment.
struct SmiMachine {
  topology::Machine machine;
  std::string chosen_by;
};
Result<SmiMachine> smi_machine(const std::string& spec);

// `view`: nothing when there is no table.
SmiSnapshot take_snapshot(const SmiMachine& machine, const std::optional<HostView>& view);

}  // namespace canopy::cli
