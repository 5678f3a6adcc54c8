// The JSON of `canopy smi`.
#include "launcher/cli/smi_text.h"
#include "runtime/base/printable.h"

#include <nlohmann/json.hpp>

namespace canopy::cli {
namespace {

using nlohmann::json;

json shares_json(const std::optional<SmiShares>& shares) {
  if (!shares) {
    return nullptr;
  }
  return {{"cube_percent", shares->cube_percent},
          {"vector_percent", shares->vector_percent},
          {"aicpu_percent", shares->aicpu_percent},
          {"dma_percent", shares->dma_percent}};
}

json faults_json(const DeviceReading& reading) {
  json faults = json::array();
  if (reading.lost) {
    faults.push_back("lost");
  }
  if (reading.ecc) {
    faults.push_back("ecc");
  }
  for (int peer = 0; peer < kMaxDevices; ++peer) {
    if ((reading.links_down >> peer & 1) != 0) {
      faults.push_back("link " + std::to_string(peer));
    }
  }
  return faults;
}

json traffic_json(const SmiSnapshot& snapshot, const SmiDevice& device) {
  json traffic = {{"from_host_bytes", device.reading.from_host}, {"to_host_bytes", device.reading.to_host}};
  json peers = json::object();
  if (static_cast<size_t>(device.id) < snapshot.link_bytes.size()) {
    const auto& row = snapshot.link_bytes[static_cast<size_t>(device.id)];
    for (size_t peer = 0; peer < row.size(); ++peer) {
      if (row[peer] != 0) {
        peers[std::to_string(peer)] = row[peer];
      }
    }
  }
  traffic["to_device_bytes"] = std::move(peers);
  return traffic;
}

json device_json(const SmiSnapshot& snapshot, const SmiDevice& device) {
  const DeviceReading& reading = device.reading;
  json errors = json::object();
  for (int kind = 0; kind < kDeviceErrors; ++kind) {
    errors[std::string(to_string(static_cast<DeviceError>(kind)))] = reading.errors[static_cast<size_t>(kind)];
  }
  return {{"id", device.id},
          {"soc", device.soc},
          {"bus_id", device.bus_id},
          {"state", to_string(reading.state)},
          {"health", to_string(reading.health)},
          {"faults", faults_json(reading)},
          {"started_ns", reading.started_ns},
          {"resets", reading.resets},
          {"hbm_bytes", device.hbm_bytes},
          {"hbm_used_bytes", device.used_bytes},
          {"utilization", shares_json(device.shares)},
          {"errors", std::move(errors)},
          {"traffic", traffic_json(snapshot, device)}};
}

}  // namespace

json smi_json(const SmiSnapshot& snapshot, std::optional<int> only) {
  json devices = json::array();
  for (const SmiDevice& device : snapshot.devices) {
    if (!only || device.id == *only) {
      devices.push_back(device_json(snapshot, device));
    }
  }
  json processes = json::array();
  for (const SmiProcess& process : snapshot.processes) {
    if (!only || process.device == *only) {
      processes.push_back({{"device", process.device},
                           {"pid", process.pid},
                           {"pid_namespace", process.pid_namespace == 0 ? json(nullptr) : json(process.pid_namespace)},
                           {"name", process.name},
                           {"hbm_used_bytes", process.used_bytes}});
    }
  }
  return {{"canopy_smi", 1},
          {"time_ns", snapshot.time_ns},
          {"machine", snapshot.machine.name()},
          {"table", snapshot.table.empty() ? json(nullptr) : json(printable(snapshot.table))},
          {"devices", std::move(devices)},
          {"processes", std::move(processes)}};
}

json smi_events_json(const EventLog::Reading& all, std::optional<int> only) {
  const EventLog::Reading events = only ? all.only(*only) : all;
  json list = json::array();
  for (const DeviceEvent& event : events.events) {
    list.push_back({{"number", event.number},
                    {"time_ns", event.time_ns},
                    {"device", event.device},
                    {"pid", event.pid},
                    {"kind", to_string(event.kind)},
                    {"value", event.value},
                    {"text", event.text}});
  }
  return {{"events", std::move(list)}, {"overwritten", events.overwritten}, {"missing", events.holes}};
}

}  // namespace canopy::cli
