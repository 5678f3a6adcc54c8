// What `canopy smi` changes: faults of devices, and resets. Each prints what it did, and returns the
// command's exit code.
#pragma once

#include "launcher/cli/smi_snapshot.h"

#include <string>
#include <vector>

namespace canopy::cli {

// `fault`: {"ecc"}, {"lost"}, or {"link", "PEER", "down"}.
int smi_inject(const SmiSnapshot& snapshot, const HostView& view, int device, const std::vector<std::string>& fault);
int smi_clear(const HostView& view, int device);
// Refused while processes have the device open, unless `force`: those that have it now, whatever an earlier snapshot says.
int smi_reset(const HostView& view, int device, bool force);

// Makes the folder, and writes the snapshot, and the events of all and of each device.
int smi_export(const SmiSnapshot& snapshot, const std::string& folder);

}  // namespace canopy::cli
