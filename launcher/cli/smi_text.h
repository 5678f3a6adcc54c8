// The text that `canopy smi` prints of a snapshot. Pure functions.
#pragma once

#include "launcher/cli/smi_snapshot.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace canopy::cli {

// `only`: of one device.
std::string smi_table(const SmiSnapshot& snapshot, std::optional<int> only);
// Classes and states of links, and what went over them. `only`: of the links of one device of the machine.
std::string smi_topo(const SmiSnapshot& snapshot, std::optional<int> only);
// One event a line, oldest first, and what is missing.
std::string smi_events(const EventLog::Reading& all, std::optional<int> only);
nlohmann::json smi_json(const SmiSnapshot& snapshot, std::optional<int> only);
nlohmann::json smi_events_json(const EventLog::Reading& all, std::optional<int> only);

// "1", or "1@4026532281": of a pid namespace that cannot be seen from here, as lsns numbers them.
std::string pid_text(pid_t pid, uint64_t pid_namespace);
// "2026-11-22 13:30:01.123", local time.
std::string time_text(uint64_t ns_since_1970);

}  // namespace canopy::cli
