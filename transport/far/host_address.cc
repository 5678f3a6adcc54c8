#include "transport/far/host_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
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

namespace {

struct Found {
  HostInterface interface;
  bool is_loopback;
};

Result<std::vector<Found>> all_of_this_host() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return fail_errno(Errc::io, errno, "the network interfaces cannot be listed");
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  std::vector<Found> all;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (is_usable(*entry)) {
      all.push_back({{entry->ifa_name, HostAddress::from_socket_address(*entry->ifa_addr)},
                     (entry->ifa_flags & IFF_LOOPBACK) != 0});
    }
  }
  return all;
}

Result<> add_wanted(std::string_view wanted, const std::vector<Found>& all,
                    std::vector<HostInterface>& to) {
  std::string seen;
  const size_t before = to.size();
  for (const auto& [interface, is_loopback] : all) {
    seen += fmt::format(" {}={}", interface.name, interface.address.text());
    if (wanted == interface.name || wanted == interface.address.text()) {
      to.push_back(interface);
    }
  }
  if (to.size() == before) {
    return fail(Errc::not_found, "CANOPY_OFI_INTERFACE={}: there is no such interface; there are{}",
                wanted, seen);
  }
  return {};
}

}  // namespace

Result<std::vector<HostInterface>> interfaces_of_this_host(std::string_view wanted) {
  CANOPY_ASSIGN(const auto all, all_of_this_host());
  std::vector<HostInterface> found;
  const bool chosen = !wanted.empty();
  while (!wanted.empty()) {
    const size_t comma = std::min(wanted.find(','), wanted.size());
    CANOPY_TRY(add_wanted(wanted.substr(0, comma), all, found));
    wanted.remove_prefix(std::min(comma + 1, wanted.size()));
  }
  for (const bool loopback : {false, true}) {
    if (chosen || !found.empty()) {
      break;
    }
    for (const Found& each : all) {
      if (each.is_loopback == loopback) {
        found.push_back(each.interface);
      }
    }
  }
  if (found.empty()) {
    return fail(Errc::not_found, "this host has no network interface that is up");
  }
  return found;
}

Result<std::vector<HostAddress>> addresses_of_this_host(std::string_view wanted) {
  CANOPY_ASSIGN(const auto interfaces, interfaces_of_this_host(wanted));
  std::vector<HostAddress> addresses;
  for (const HostInterface& each : interfaces) {
    addresses.push_back(each.address);
  }
  return addresses;
}

}  // namespace canopy::transport::far
