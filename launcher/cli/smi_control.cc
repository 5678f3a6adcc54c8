#include "launcher/cli/smi_control.h"

#include "launcher/cli/command.h"
#include "launcher/cli/new_file.h"
#include "launcher/cli/smi_text.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <filesystem>
#include <optional>

namespace canopy::cli {
namespace {
namespace fs = std::filesystem;

std::optional<int> number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

int inject_link(const SmiSnapshot& snapshot, const HostView& view, int device, const std::vector<std::string>& fault) {
  const auto peer = fault.size() == 3 && fault[2] == "down" ? number(fault[1]) : std::nullopt;
  if (!peer) {
    return complain("smi", "--inject link takes the peer and 'down': --inject link 1 down");
  }
  if (*peer == device || snapshot.find(*peer) == nullptr) {
    return complain("smi", fmt::format("--inject link {}: {} is no peer of device {}", fault[1], *peer, device));
  }
  view.devices().inject_link_down(device, *peer);
  say("the link between devices {} and {} is down\n", device, *peer);
  return 0;
}

std::vector<std::string> users_of(const HostView& view, int device) {
  std::vector<std::string> users;
  for (const HostOwner& owner : view.owners()) {
    if (owner.uses(device)) {
      users.push_back(fmt::format("{} ({})", pid_text(owner.pid, owner.pid_namespace), owner.name));
    }
  }
  return users;
}

}  // namespace

int smi_inject(const SmiSnapshot& snapshot, const HostView& view, int device, const std::vector<std::string>& fault) {
  if (fault[0] == "link") {
    return inject_link(snapshot, view, device, fault);
  }
  if (fault.size() != 1 || (fault[0] != "lost" && fault[0] != "ecc")) {
    return complain("smi", fmt::format("--inject {}: faults are ecc, lost, and link PEER down", fmt::join(fault, " ")));
  }
  fault[0] == "lost" ? view.devices().inject_lost(device) : view.devices().inject_ecc(device);
  say("device {}: {}\n", device, fault[0] == "lost" ? "lost" : "one memory error, corrected");
  return 0;
}

int smi_clear(const HostView& view, int device) {
  view.devices().clear(device);
  say("device {}: no faults\n", device);
  return 0;
}

int smi_reset(const HostView& view, int device, bool force) {
  const std::vector<std::string> users = users_of(view, device);
  if (!users.empty() && !force) {
    return complain("smi", fmt::format("device {} is in use by pid {}; --force resets it all the same, and what they have "
                                       "pending there is dropped",
                                       device, fmt::join(users, ", ")));
  }
  view.devices().reset(device, !users.empty());
  say("device {}: reset{}\n", device,
             users.empty() ? "" : fmt::format("; pid {} will drop what is pending there", fmt::join(users, ", ")));
  return 0;
}

int smi_export(const SmiSnapshot& snapshot, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return complain("smi", fmt::format("cannot make the folder {}: {}", folder, error.message()));
  }
  nlohmann::json all = smi_json(snapshot, std::nullopt);
  all["log"] = smi_events_json(snapshot.events, std::nullopt);
  Result<> written = replace_file(folder, "snapshot.json", all.dump(2) + "\n");
  const auto then = [&](const std::string& leaf, const std::string& text) {
    written = written ? replace_file(folder, leaf, text) : written;
  };
  then("events.log", smi_events(snapshot.events, std::nullopt));
  for (const SmiDevice& device : snapshot.devices) {
    then(fmt::format("device-{}.log", device.id), smi_events(snapshot.events, device.id));
  }
  if (!written) {
    return complain_about_last_error("smi");
  }
  say("{}: snapshot.json, events.log, and device-N.log of {} devices\n", folder, snapshot.devices.size());
  return 0;
}

}  // namespace canopy::cli
