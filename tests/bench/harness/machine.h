// What a figure was measured on: the first record of every report.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace canopy::bench {

// {"machine": {"cpu", "cores", "kernel", "commit", "load"}}: cores are those this process may use,
// load is the 1-minute average before the first round.
nlohmann::ordered_json machine_record(const std::string& commit);

}  // namespace canopy::bench
