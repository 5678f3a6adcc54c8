#include "launcher/cli/command.h"

#include "runtime/base/env.h"
#include "runtime/base/result.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

namespace canopy::cli {
namespace {
bool is_executable_file(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}
}  // namespace

int complain(std::string_view command, std::string_view sentence) {
  write_error(fmt::format("canopy{}{}: {}\n", command.empty() ? "" : " ", command, sentence));
  return kExitUsage;
}

int complain_about_last_error(std::string_view command) {
  return complain(command, error_text::newest());
}

std::string readable_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  // A small fraction of a large unit would hide what was rounded: 1472 MiB, not 1.4 GiB.
  while (value >= 1024 && unit + 1 < kUnits.size() &&
         (value >= 10 * 1024 || std::fmod(value, 1024) == 0)) {
    value /= 1024;
    ++unit;
  }
  double rounded = std::round(value * 10) / 10;
  return rounded == std::floor(rounded) ? fmt::format("{:.0f} {}", rounded, kUnits[unit])
                                        : fmt::format("{:.1f} {}", rounded, kUnits[unit]);
}

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    return is_executable_file(program) ? program : "";
  }
  std::string path = env::text("PATH").value_or("/usr/bin:/bin");
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find(':', begin), path.size());
    std::string folder = end == begin ? "." : path.substr(begin, end - begin);
    if (std::string candidate = folder + "/" + program; is_executable_file(candidate)) {
      return candidate;
    }
    begin = end + 1;
  }
  return "";
}

}  // namespace canopy::cli
