#include "launcher/bootstrap/watch_address.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

namespace canopy {
namespace {

// Filled in when `ip` is an IPv4 or IPv6 address.
bool read_ip(const std::string& ip, uint16_t port, SocketAddress* out) {
  sockaddr_in v4{};
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out->storage, &v4, sizeof v4);
    out->length = sizeof v4;
    return true;
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&out->storage, &v6, sizeof v6);
    out->length = sizeof v6;
    return true;
  }
  return false;
}

std::string ip_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&v6)) {
      inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
  }
  return text;
}

template <class T>
bool read_number(const std::string& text, int base, T* out) {
  const char* last = text.data() + text.size();
  const auto [end, err] = std::from_chars(text.data(), last, *out, base);
  return err == std::errc() && end == last;
}

}  // namespace

std::string WatchAddress::text() const {
  return fmt::format("{} {} {:016x} {}", host_name, port, nonce, fmt::join(ips, " "));
}

Result<WatchAddress> WatchAddress::parse(std::string_view text) {
  WatchAddress address;
  std::istringstream words{std::string(text)};
  std::string port;
  std::string nonce;
  SocketAddress ignored;
  bool good = (words >> address.host_name >> port >> nonce) &&
              read_number(port, 10, &address.port) && address.port != 0 &&
              read_number(nonce, 16, &address.nonce);
  for (std::string ip; good && words >> ip;) {
    good = read_ip(ip, 0, &ignored);
    address.ips.push_back(std::move(ip));
  }
  if (!good || address.ips.empty()) {
    return fail(Errc::parse, "'{}' is not the address of a host's leader", text);
  }
  return address;
}

Result<WatchAddress> WatchAddress::of_this_host(uint16_t port, uint64_t nonce) {
  char name[256] = {};  // POSIX: at most 255
  WatchAddress address;
  address.host_name = gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "unnamed";
  address.port = port;
  address.nonce = nonce;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return fail_errno(Errc::io, errno, "{}: cannot list the network interfaces", address.host_name);
  }
  std::string loopback;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    const std::string ip =
        at->ifa_addr != nullptr && (at->ifa_flags & IFF_UP) != 0 ? ip_text(at->ifa_addr) : "";
    if (ip.empty()) {
      continue;
    }
    if ((at->ifa_flags & IFF_LOOPBACK) == 0) {
      address.ips.push_back(ip);
    } else if (loopback.empty()) {
      loopback = ip;
    }
  }
  freeifaddrs(list);
  if (address.ips.empty() && !loopback.empty()) {
    address.ips.push_back(loopback);
  }
  if (address.ips.empty()) {
    return fail(Errc::not_supported, "{}: no network interface is up, not even loopback",
                address.host_name);
  }
  return address;
}

SocketAddress socket_address(const std::string& ip, uint16_t port) {
  SocketAddress address;
  read_ip(ip, port, &address);
  return address;
}

}  // namespace canopy
