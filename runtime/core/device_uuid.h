// DeviceUuid: names a simulated NPU among all of all hosts: the same in every process that sees the
// device, another one after the host was booted.
#pragma once

#include "topology/model/machine.h"

#include <array>
#include <cstdint>

namespace canopy {

using DeviceUuid = std::array<uint8_t, 16>;

DeviceUuid device_uuid(const topology::Npu& npu);

}  // namespace canopy
