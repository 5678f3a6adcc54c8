// The tables of `canopy smi`: devices, processes, links, events.
#include "launcher/cli/columns.h"
#include "launcher/cli/command.h"
#include "launcher/cli/smi_text.h"

#include <fmt/chrono.h>

#include <vector>

namespace canopy::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string share(const std::optional<SmiShares>& shares, uint32_t SmiShares::*engine) {
  return shares ? fmt::format("{}%", (*shares).*engine) : "-";
}

std::string health_text(const SmiDevice& device) {
  std::string text(to_string(device.reading.health));
  if (device.reading.lost) {
    text += " (lost)";
  } else if (device.reading.ecc) {
    text += " (ecc)";
  } else if (device.reading.links_down != 0) {
    text += " (link)";
  }
  return text;
}

std::string device_rows(const SmiSnapshot& snapshot, std::optional<int> only) {
  Rows rows = {{"NPU", "SoC", "bus id", "state", "health", "HBM used", "HBM", "cube", "vector", "AI CPU", "DMA", "errors"}};
  for (const SmiDevice& device : snapshot.devices) {
    if (only && device.id != *only) {
      continue;
    }
    rows.push_back({std::to_string(device.id), device.soc, device.bus_id, std::string(to_string(device.reading.state)),
                    health_text(device), readable_bytes(device.used_bytes), readable_bytes(device.hbm_bytes),
                    share(device.shares, &SmiShares::cube_percent), share(device.shares, &SmiShares::vector_percent),
                    share(device.shares, &SmiShares::aicpu_percent), share(device.shares, &SmiShares::dma_percent),
                    std::to_string(device.errors())});
  }
  return aligned(rows);
}

std::string process_rows(const SmiSnapshot& snapshot, std::optional<int> only) {
  Rows rows = {{"NPU", "pid", "process", "HBM used"}};
  for (const SmiProcess& process : snapshot.processes) {
    if (!only || process.device == *only) {
      rows.push_back({std::to_string(process.device), pid_text(process.pid, process.pid_namespace), process.name,
                      readable_bytes(process.used_bytes)});
    }
  }
  return rows.size() > 1 ? aligned(rows) : "no process uses a device\n";
}

// What one device has to tell beyond its row.
std::string details(const SmiDevice& device) {
  const DeviceReading& reading = device.reading;
  Rows rows;
  rows.push_back({"started", reading.started_ns == 0 ? "never" : time_text(reading.started_ns)});
  rows.push_back({"resets", std::to_string(reading.resets)});
  for (int kind = 0; kind < kDeviceErrors; ++kind) {
    rows.push_back({fmt::format("errors: {}", to_string(static_cast<DeviceError>(kind))),
                    std::to_string(reading.errors[static_cast<size_t>(kind)])});
  }
  rows.push_back({"copied from the host", readable_bytes(reading.from_host)});
  rows.push_back({"copied to the host", readable_bytes(reading.to_host)});
  for (int peer = 0; peer < kMaxDevices; ++peer) {
    if ((reading.links_down >> peer & 1) != 0) {
      rows.push_back({fmt::format("link to device {}", peer), "down"});
    }
  }
  return aligned(rows);
}

std::string heading(const SmiSnapshot& snapshot) {
  std::string text = fmt::format("canopy smi {}   {}   machine '{}' ({})\n", CANOPY_VERSION,
                                 time_text(snapshot.time_ns), snapshot.machine.name(), snapshot.chosen_by);
  if (snapshot.table.empty()) {
    text += "nothing runs: no process of this user has used a device on this host\n";
  }
  return text + "\n";
}

std::string link_state(const SmiSnapshot& snapshot, int from, int to) {
  const topology::Link& link = snapshot.machine.link(from, to);
  const SmiDevice* device = snapshot.find(from);
  const bool down = device != nullptr && (device->reading.links_down >> to & 1) != 0;
  const char* path = link.path == topology::PeerPath::direct ? "d" : link.path == topology::PeerPath::staged ? "s" : "-";
  return fmt::format("{}:{}", to_string(link.link_class), down ? "DOWN" : path);
}

template <class Cell>
std::string matrix(int count, Cell&& cell) {
  Rows rows = {{""}};
  for (int from = 0; from < count; ++from) {
    rows[0].push_back(fmt::format("npu{}", from));
    std::vector<std::string> row = {fmt::format("npu{}", from)};
    for (int to = 0; to < count; ++to) {
      row.push_back(cell(from, to));
    }
    rows.push_back(std::move(row));
  }
  return aligned(rows);
}

std::string copied(const SmiSnapshot& snapshot, int from, int to) {
  return readable_bytes(snapshot.link_bytes[static_cast<size_t>(from)][static_cast<size_t>(to)]);
}

// Of each device, or of one.
std::string host_traffic(const SmiSnapshot& snapshot, std::optional<int> only) {
  Rows rows = {{"", "from the host", "to the host"}};
  for (int id = only.value_or(0); id < (only ? *only + 1 : snapshot.machine.count()); ++id) {
    const DeviceReading& reading = snapshot.find(id)->reading;
    rows.push_back({fmt::format("npu{}", id), readable_bytes(reading.from_host), readable_bytes(reading.to_host)});
  }
  return aligned(rows);
}

std::string all_links(const SmiSnapshot& snapshot) {
  const int count = snapshot.machine.count();
  const std::string links =
      matrix(count, [&](int from, int to) { return from == to ? "self" : link_state(snapshot, from, to); });
  if (snapshot.table.empty()) {
    return links;
  }
  return links + "\nbytes copied, from row to column, since the table was made\n" +
         matrix(count, [&](int from, int to) { return copied(snapshot, from, to); }) + "\n" +
         host_traffic(snapshot, std::nullopt);
}

// A row for each device at the other end.
std::string links_of(const SmiSnapshot& snapshot, int id) {
  Rows rows = {{"", fmt::format("npu{}", id)}};
  if (!snapshot.table.empty()) {
    rows[0].insert(rows[0].end(), {fmt::format("copied from npu{}", id), fmt::format("copied to npu{}", id)});
  }
  for (int peer = 0; peer < snapshot.machine.count(); ++peer) {
    rows.push_back({fmt::format("npu{}", peer), peer == id ? "self" : link_state(snapshot, id, peer)});
    if (!snapshot.table.empty()) {
      rows.back().insert(rows.back().end(), {copied(snapshot, id, peer), copied(snapshot, peer, id)});
    }
  }
  return aligned(rows) + (snapshot.table.empty() ? "" : "\n" + host_traffic(snapshot, id));
}

}  // namespace

std::string time_text(uint64_t ns) {
  const auto seconds = static_cast<time_t>(ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", fmt::localtime(seconds), ns / 1'000'000 % 1000);
}

std::string pid_text(pid_t pid, uint64_t pid_namespace) {
  return pid_namespace == 0 ? std::to_string(pid) : fmt::format("{}@{}", pid, pid_namespace);
}

std::string smi_table(const SmiSnapshot& snapshot, std::optional<int> only) {
  std::string text = heading(snapshot) + device_rows(snapshot, only) + "\n" + process_rows(snapshot, only);
  if (const SmiDevice* device = only ? snapshot.find(*only) : nullptr) {
    text += "\n" + details(*device);
  }
  return text;
}

std::string smi_topo(const SmiSnapshot& snapshot, std::optional<int> only) {
  return heading(snapshot) + "links (class:path, DOWN: a fault was injected)\n" +
         (only ? links_of(snapshot, *only) : all_links(snapshot));
}

std::string smi_events(const EventLog::Reading& all, std::optional<int> only) {
  const EventLog::Reading events = only ? all.only(*only) : all;
  std::string text;
  if (events.overwritten != 0) {
    text += fmt::format("({} older events were overwritten)\n", events.overwritten);
  }
  for (const DeviceEvent& event : events.events) {
    text += fmt::format("{} device {} pid {} {}: {}{}\n", time_text(event.time_ns), event.device, event.pid,
                        to_string(event.kind), event.text, event.value != 0 ? fmt::format(" ({})", event.value) : "");
  }
  if (events.holes != 0) {
    text += fmt::format("({} events are missing: their writers were killed, or write now)\n", events.holes);
  }
  return text.empty() ? "no events\n" : text;
}

}  // namespace canopy::cli
