// How busy devices are, by a look at all processes that use them over a short time.
#pragma once

#include "launcher/cli/smi_snapshot.h"
#include "runtime/driver/host_table.h"
#include "runtime/driver/host_view.h"

#include <chrono>
#include <vector>

namespace canopy::cli {

// Long enough for kernels of a millisecond, short enough for eyes.
inline constexpr std::chrono::milliseconds kSmiWindow{5};

// Fills SmiDevice::shares by those whom `view` shows. Takes kSmiWindow if any of `owners` has a device open, twice as long
// if one of them cannot be looked into, else no time.
void measure_load(const HostView& view, const std::vector<HostOwner>& owners, std::vector<SmiDevice>* devices);

}  // namespace canopy::cli
