// WatchAddress: how the leader of a host is reached, as text for a card.
//
//   "h1 45123 91c0d2ff00a1b2c3 10.80.0.11 10.81.0.11"     host name, port, nonce, IP addresses
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace canopy {

struct WatchAddress {
  std::string host_name;
  uint16_t port = 0;
  uint64_t nonce = 0;  // who connects proves with it that he has read this card
  std::vector<std::string> ips;

  std::string text() const;
  // Errc::parse, with the text.
  static Result<WatchAddress> parse(std::string_view text);
  // Of this host: its name, and the addresses of interfaces that are up; loopback when it has no
  // other. Addresses that mean nothing without an interface's name (IPv6 link-local) are left out.
  static Result<WatchAddress> of_this_host(uint16_t port, uint64_t nonce);
};

// A socket address and its length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
// REQUIRES: `ip` is one that parse() took.
SocketAddress socket_address(const std::string& ip, uint16_t port);

}  // namespace canopy
