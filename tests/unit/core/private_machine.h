// The machine that tests with private_machine.cc in their program run on.
#pragma once

#include <cstdint>
#include <string>

namespace canopy::test {

inline constexpr int kDevices = 4;
inline constexpr uint64_t kHbmBytes = uint64_t{256} << 20;
// From device 0: to 1 direct, to 2 staged, to 3 nothing.
inline constexpr int kNear = 1;
inline constexpr int kStaged = 2;
inline constexpr int kUnreachable = 3;

// Writes a file that goes with the test program; its path.
std::string write_scratch(const std::string& name, const std::string& text);

}  // namespace canopy::test
