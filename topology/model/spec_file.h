// SoC spec files: JSON descriptions of the NPUs of a host (topology/specs/README.md has the
// fields). Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/machine.h"

#include <string>
#include <string_view>
#include <vector>

namespace canopy::topology {

// Parses the text of a spec file; `origin` names it in errors. Every error says field, value,
// limit.
Result<Machine> parse_spec(std::string_view json, const std::string& origin);

// `name_or_path` is a file path, or the name of an installed spec ("atlas-800t-a2"); installed
// specs are looked for in CANOPY_SPEC_PATH, then beside the library, then in the source tree it was
// built from.
Result<Machine> load_spec(const std::string& name_or_path);

// The names that load_spec() finds without a path, sorted.
std::vector<std::string> installed_specs();

// The text of a spec file that parse_spec() turns into an equal machine.
std::string write_spec(const Machine& machine);

// The default: 8 NPUs with a full HCCS mesh whose HBM together fits into half of this host's
// memory. Costs no discovery: reads /proc/meminfo and this process's cgroup limit only.
Machine auto_machine();

// What a spec value given by a user means: "auto", "hwloc", "hwloc:FILE" (an hwloc XML export),
// else load_spec().
Result<Machine> machine_by_name(const std::string& value);

// What this process uses: CANOPY_SOC_SPEC (see machine_by_name) if set, else auto_machine().
Result<Machine> machine_from_environment();

// Where "hwloc" values go. This layer does not link hwloc (its discovery must not lie on anybody's
// init path), so a program that wants them registers a source once, before any other thread asks
// (topology/discover/discover.h has one). `xml_path` is "" for the host itself.
using Discovery = Result<Machine> (*)(const std::string& xml_path);
void set_discovery(Discovery source);

}  // namespace canopy::topology
