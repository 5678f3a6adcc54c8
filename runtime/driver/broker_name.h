// BrokerName: 128 random bits that name a broker on its host.
#pragma once

#include <cstdint>
#include <string>

namespace canopy {

struct BrokerName {
  uint64_t high = 0;  // never 0
  uint64_t low = 0;

  static BrokerName random();
  // Of the abstract socket: printable.
  std::string address() const;
  bool operator==(const BrokerName&) const = default;
};

}  // namespace canopy
