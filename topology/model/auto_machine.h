// The pieces of auto_machine() (topology/model/spec_file.h) that other sources of machines reuse
// for what their source does not tell. Pure functions.
#pragma once

#include "topology/model/machine.h"

#include <cstdint>
#include <string>

namespace canopy::topology {

// An NPU whose figures are all placeholders.
Npu placeholder_npu(int id);

// A bus id for an NPU without one: domain 0100 is not used by hosts with few PCI domains.
std::string generated_bus_id(int id);

// HBM of each NPU on a host with `host_bytes`: an eighth of half of it, in whole 64 MiB, at least
// 256 MiB (pages cost nothing until touched).
uint64_t auto_hbm_bytes(uint64_t host_bytes);

}  // namespace canopy::topology
