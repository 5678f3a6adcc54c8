// The timeline file: what the executors' trace buffers hold, as Chrome trace events.
#pragma once

#include "runtime/base/result.h"

#include <string>

namespace canopy {

class Driver;

void start_timeline(Driver& driver);
Result<> write_timeline(Driver& driver, const std::string& path, int pid, const std::string& process_name);

}  // namespace canopy
