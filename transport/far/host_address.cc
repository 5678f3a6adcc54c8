#include "transport/far/host_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace canopy::transport::far {
namespace {

bool is_usable(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || (entry.ifa_flags & IFF_UP) == 0) {
    return false;
  }
  if (entry.ifa_addr->sa_family == AF_INET6) {
    // Link-local addresses say nothing without an interface of the other side.
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr);
    return !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
  }
  return entry.ifa_addr->sa_family == AF_INET;
}

}  // namespace

size_t HostAddress::size() const { return family == AF_INET ? 4 : 16; }

std::string HostAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

socklen_t HostAddress::to_socket_address(uint16_t port, sockaddr_storage& to) const {
  to = {};
  to.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, bytes.data(), 4);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, bytes.data(), 16);
  return sizeof v6;
}

HostAddress HostAddress::from_socket_address(const sockaddr& from) {
  HostAddress address;
  if (from.sa_family == AF_INET) {
    address.family = AF_INET;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in&>(from).sin_addr, 4);
    return address;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
  const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6);  // what a socket for both families says of IPv4
  address.family = is_v4 ? AF_INET : AF_INET6;
  std::memcpy(address.bytes.data(), v6.s6_addr + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
  return address;
}

Result<std::vector<HostAddress>> addresses_of_this_host(std::string_view wanted) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return fail_errno(Errc::io, errno, "the network interfaces cannot be listed");
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  std::vector<HostAddress> others;
  std::vector<HostAddress> loopback;
  std::string seen;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (!is_usable(*entry)) {
      continue;
    }
    const HostAddress address = HostAddress::from_socket_address(*entry->ifa_addr);
    seen += fmt::format(" {}={}", entry->ifa_name, address.text());
    if (!wanted.empty()) {
      if (wanted == entry->ifa_name || wanted == address.text()) {
        others.push_back(address);
      }
    } else {
      ((entry->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : others).push_back(address);
    }
  }
  if (others.empty() && !wanted.empty()) {
    return fail(Errc::not_found, "CANOPY_OFI_INTERFACE={}: there is no such interface; there are{}",
                wanted, seen);
  }
  std::vector<HostAddress>& found = others.empty() ? loopback : others;
  if (found.empty()) {
    return fail(Errc::not_found, "this host has no network interface that is up");
  }
  return std::move(found);
}

}  // namespace canopy::transport::far
