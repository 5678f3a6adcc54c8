#include "launcher/cluster/layout.h"

#include <charconv>

namespace canopy::cluster {
namespace {

constexpr int kFirstNetwork = 80;
constexpr int kFirstHostNumber = 10;  // low numbers are left for the head and for readers' eyes

std::string known_hosts(const Layout& layout) {
  return layout.hosts == 1 ? "there is only h0"
                           : fmt::format("there are h0 to h{}", layout.hosts - 1);
}

}  // namespace

Result<> check(const Layout& layout) {
  if (layout.hosts < 1 || layout.hosts > kMaxHosts) {
    return fail(Errc::out_of_range, "{} hosts: a cluster has 1 to {}", layout.hosts, kMaxHosts);
  }
  if (layout.rails < 1 || layout.rails > kMaxRails) {
    return fail(Errc::out_of_range, "{} rails: a cluster has 1 to {}", layout.rails, kMaxRails);
  }
  return {};
}

std::string host_name(int host) { return host == kHead ? "head" : fmt::format("h{}", host); }

std::string rail_name(int rail) { return fmt::format("rail{}", rail); }

std::string port_name(int host, int rail) { return fmt::format("h{}.{}", host, rail); }

std::string rail_address(int host, int rail) {
  const int number = host == kHead ? 1 : kFirstHostNumber + host;
  return fmt::format("10.{}.{}.{}", kFirstNetwork + rail, number / 256, number % 256);
}

Result<int> parse_host(const Layout& layout, std::string_view text) {
  int host = -1;
  if (text.starts_with('h')) {
    const char* last = text.data() + text.size();
    const auto [end, err] = std::from_chars(text.data() + 1, last, host);
    if (err != std::errc() || end != last || host_name(host) != text) {
      host = -1;
    }
  }
  if (host < 0 || host >= layout.hosts) {
    return fail(Errc::not_found, "no host '{}': {}", text, known_hosts(layout));
  }
  return host;
}

Result<int> parse_place(const Layout& layout, std::string_view text) {
  if (text == host_name(kHead)) {
    return kHead;
  }
  return parse_host(layout, text);
}

Result<> check_rail(const Layout& layout, int rail) {
  if (rail < 0 || rail >= layout.rails) {
    return fail(Errc::not_found, "no rail {}: this cluster has {} (numbered from 0)", rail,
                layout.rails);
  }
  return {};
}

std::string hosts_file(const Layout& layout, std::string_view machine) {
  std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
  for (int host = kHead; host < layout.hosts; ++host) {
    text += fmt::format("{} {}\n", rail_address(host, 0), host_name(host));
  }
  return text.append(machine);
}

std::string mpirun_hostfile(const Layout& layout, int slots) {
  std::string text;
  for (int host = 0; host < layout.hosts; ++host) {
    text += fmt::format("{} slots={}\n", host_name(host), slots);
  }
  return text;
}

}  // namespace canopy::cluster
