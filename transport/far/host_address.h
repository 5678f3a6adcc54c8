// HostAddress: a numeric IPv4 or IPv6 address, and those of this host's interfaces. Stateless; any
// thread.
#pragma once

#include "runtime/base/result.h"

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::transport::far {

struct HostAddress {
  int family = 0;  // AF_INET, AF_INET6
  std::array<uint8_t, 16> bytes{};

  size_t size() const;  // 4 or 16
  std::string text() const;
  // Fills `to` and returns how much of it counts.
  socklen_t to_socket_address(uint16_t port, sockaddr_storage& to) const;
  static HostAddress from_socket_address(const sockaddr& from);
  bool operator==(const HostAddress&) const = default;
};

struct HostInterface {
  std::string name;
  HostAddress address;
};

// The addresses under which other hosts may reach this one, in the order of the interfaces: of
// interfaces that are up, without those that mean "this host" everywhere. Loopback only when there
// is nothing else. `wanted` narrows it to some interfaces (their names or addresses, with commas
// between), in that order, loopback included. Errors: not_found, no such interface, with those that
// there are; io.
Result<std::vector<HostInterface>> interfaces_of_this_host(std::string_view wanted);
Result<std::vector<HostAddress>> addresses_of_this_host(std::string_view wanted);

}  // namespace canopy::transport::far
