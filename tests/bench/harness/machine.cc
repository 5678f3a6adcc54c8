#include "tests/bench/harness/machine.h"

#include "runtime/base/waiter.h"

#include <nlohmann/json.hpp>

#include <sys/utsname.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

namespace canopy::bench {
namespace {

std::string cpu_name(const utsname& system) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) {
      return line.substr(line.find(':') + 2);
    }
  }
  return system.machine;  // aarch64 has no model name there
}

}  // namespace

nlohmann::ordered_json machine_record(const std::string& commit) {
  utsname system{};
  ::uname(&system);
  double load = 0;
  ::getloadavg(&load, 1);
  return {{"machine",
           {{"cpu", cpu_name(system)},
            {"cores", usable_cores()},
            {"kernel", system.release},
            {"commit", commit},
            {"load", std::round(load * 100) / 100}}}};
}

}  // namespace canopy::bench
