// What the attributes of a launch configuration say.
#pragma once

#include "acl/rt/launch.h"
#include "runtime/base/result.h"
#include "runtime/core/launch_attributes.h"

#include <optional>

namespace canopy::acl {

// Nothing when `cfg` is NULL or empty. Errc::invalid_argument: a value that is none, or an
// attribute given twice. Errc::not_supported: an attribute that is not built.
Result<std::optional<LaunchAttributes>> launch_attributes(const aclrtLaunchKernelCfg* cfg);

}  // namespace canopy::acl
