// How busy devices are, by a look at all processes that use them over a short time.
#pragma once

#include "launcher/cli/smi_snapshot.h"
#include "runtime/driver/host_table.h"

#include <chrono>
#include <vector>

namespace canopy::cli {

// Long enough for kernels of a millisecond, short enough for eyes.
inline constexpr std::chrono::milliseconds kSmiWindow{5};

// Fills SmiDevice::shares. Takes kSmiWindow if anybody has a device open, else no time.
void measure_load(const std::vector<HostOwner>& owners, std::vector<SmiDevice>* devices);

}  // namespace canopy::cli
