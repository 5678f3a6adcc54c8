// The description of an AI CPU binary: a JSON object that names, per kernel, the function that runs
// it.
//
//     { "Scale": { "opInfo": { "functionName": "RunScale", "kernelSo": "libscale.so" } } }
//
// Other members are for the tools that write it and are passed over. A kernel without functionName
// has its own name's function.
#pragma once

#include "runtime/base/result.h"

#include <map>
#include <string>

namespace canopy {

// kernel -> function. Errc::io: cannot be read; Errc::parse: is no such description.
Result<std::map<std::string, std::string>> read_aicpu_description(const std::string& path);
// The shared object that goes with it: the same path with .so in place of .json.
std::string binary_of_description(const std::string& path);

}  // namespace canopy
