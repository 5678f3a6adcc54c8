// Findings: what a PE tells all others once it knows their cards and has tried to map those on its
// host. The second and last thing that a job exchanges at its start. A value with its bytes.
#pragma once

#include "runtime/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace canopy::shmem {

struct Findings {
  std::string error;              // not empty: it cannot take part, and why
  std::vector<int> missed;        // who could not be mapped
  std::string transport_address;  // "": none of its paths leaves the host, as far as it knows
  std::string watch_address;      // of its HostWatch, when it leads a host

  std::string pack() const;
  static Result<Findings> unpack(std::string_view bytes, int pe);
};

}  // namespace canopy::shmem
