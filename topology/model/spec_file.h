// SoC spec files: JSON descriptions of the NPUs of a host (topology/specs/README.md has the fields).
// Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/machine.h"

#include <string>
#include <string_view>

namespace canopy::topology {

// Parses the text of a spec file; `origin` names it in errors. Every error says field, value, limit.
Result<Machine> parse_spec(std::string_view json, const std::string& origin);

// `name_or_path` is a file path, or the name of an installed spec ("atlas-800t-a2"); installed specs
// are looked for in CANOPY_SPEC_PATH, then beside the library, then in the source tree it was built from.
Result<Machine> load_spec(const std::string& name_or_path);

// The default: 8 NPUs with a full HCCS mesh whose HBM together fits into half of this host's memory.
// Costs no discovery: reads /proc/meminfo only.
Machine auto_machine();

// What this process uses: CANOPY_SOC_SPEC (name or path) if set, else auto_machine().
Result<Machine> machine_from_environment();

}  // namespace canopy::topology
