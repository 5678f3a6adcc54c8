#include "launcher/cli/smi_snapshot.h"

#include "launcher/cli/smi_load.h"
#include "runtime/base/env.h"
#include "topology/model/spec_file.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace canopy::cli {
namespace {

uint64_t wall_clock_ns() {
  return static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

SmiDevice device_of(const topology::Machine& machine, int id) {
  SmiDevice device;
  device.id = id;
  if (id < machine.count()) {
    const topology::Npu& npu = machine.npu(id);
    device.soc = npu.soc;
    device.bus_id = npu.pci_bus_id;
    device.hbm_bytes = npu.hbm_bytes;
  }
  return device;
}

// What processes say of a device that they use wins: their machine may be another one.
void add_reading(SmiDevice* device, DeviceReading reading) {
  if (reading.state == DeviceState::ready) {
    device->soc = reading.facts.soc;
    device->bus_id = reading.facts.bus_id;
    device->hbm_bytes = reading.facts.hbm_bytes;
  }
  device->reading = std::move(reading);
}

void add_owner(SmiSnapshot* snapshot, const HostOwner& owner) {
  for (SmiDevice& device : snapshot->devices) {
    const uint64_t used = owner.used_bytes[static_cast<size_t>(device.id)];
    device.used_bytes += used;
    if (owner.uses(device.id)) {
      snapshot->processes.push_back({device.id, owner.pid, owner.pid_namespace, owner.name, used});
    }
  }
}

}  // namespace

uint64_t SmiDevice::errors() const {
  return std::accumulate(reading.errors.begin(), reading.errors.end(), uint64_t{0});
}

const SmiDevice* SmiSnapshot::find(int id) const {
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const SmiDevice& d) { return d.id == id; });
  return found == devices.end() ? nullptr : &*found;
}

Result<SmiMachine> smi_machine(const std::string& spec) {
  const auto set = env::text("CANOPY_SOC_SPEC");
  SmiMachine chosen;
  chosen.chosen_by = !spec.empty() ? "--spec " + spec : set ? "CANOPY_SOC_SPEC=" + *set : "the default";
  CANOPY_ASSIGN(chosen.machine,
                spec.empty() ? topology::machine_from_environment() : topology::machine_by_name(spec));
  return chosen;
}

SmiSnapshot take_snapshot(const SmiMachine& machine, const std::optional<HostView>& view) {
  SmiSnapshot snapshot;
  snapshot.machine = machine.machine;
  snapshot.chosen_by = machine.chosen_by;
  snapshot.time_ns = wall_clock_ns();
  snapshot.table = view ? view->path() : "";
  for (int id = 0; id < kMaxDevices; ++id) {
    DeviceReading reading = view ? view->devices().read(id) : DeviceReading();
    if (id < snapshot.machine.count() || reading.started_ns != 0) {
      snapshot.devices.push_back(device_of(snapshot.machine, id));
      add_reading(&snapshot.devices.back(), std::move(reading));
    }
  }
  if (!view) {  // nobody uses a device
    for (SmiDevice& device : snapshot.devices) {
      device.shares = SmiShares{};
    }
    return snapshot;
  }
  const std::vector<HostOwner> owners = view->owners();
  for (const HostOwner& owner : owners) {
    add_owner(&snapshot, owner);
  }
  measure_load(*view, owners, &snapshot.devices);
  std::stable_sort(snapshot.processes.begin(), snapshot.processes.end(),
                   [](const SmiProcess& a, const SmiProcess& b) { return std::pair(a.device, a.pid) < std::pair(b.device, b.pid); });
  snapshot.link_bytes.resize(static_cast<size_t>(snapshot.machine.count()));
  for (int from = 0; from < snapshot.machine.count(); ++from) {
    for (int to = 0; to < kMaxDevices; ++to) {
      snapshot.link_bytes[static_cast<size_t>(from)][static_cast<size_t>(to)] = view->devices().link_bytes(from, to);
    }
  }
  snapshot.events = view->devices().events().read();
  return snapshot;
}

}  // namespace canopy::cli
