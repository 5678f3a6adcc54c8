#include "topology/route/path.h"

namespace canopy::topology {
namespace {

Result<> check_npu(const Machine& machine, int id) {
  if (id < 0 || id >= machine.count()) {
    return fail(Errc::bad_device, "npu {}: machine '{}' has {} NPUs (0 to {})", id, machine.name(),
                machine.count(), machine.count() - 1);
  }
  return {};
}

// "hccs (28000 MB/s, 1500 ns; placeholder figures)"
std::string describe(const Link& link) {
  std::string figures;
  if (link.bandwidth_MBps != 0) {
    figures = fmt::format("{} MB/s", link.bandwidth_MBps);
  }
  if (link.latency_ns != 0) {
    figures += fmt::format("{}{} ns", figures.empty() ? "" : ", ", link.latency_ns);
  }
  if (figures.empty()) {
    return std::string(to_string(link.link_class));
  }
  return fmt::format("{} ({}{})", to_string(link.link_class), figures,
                     link.placeholder ? "; placeholder figures" : "");
}

std::string_view meaning(PeerPath path) {
  switch (path) {
    case PeerPath::direct:
      return "loads, stores and copies go straight to the peer's memory";
    case PeerPath::staged:
      return "only copies work, and they go through host memory";
    case PeerPath::refused:
      break;
  }
  return "peer access is refused";
}

}  // namespace

Result<PathChoice> choose_path(const Machine& machine, int from, int to,
                               std::optional<PeerPath> wanted) {
  CANOPY_TRY(check_npu(machine, from));
  CANOPY_TRY(check_npu(machine, to));
  if (from == to) {
    return PathChoice{PeerPath::direct,
                      fmt::format("npu {} reaches its own memory: direct.", from)};
  }
  const Link& link = machine.link(from, to);
  if (link.link_class == LinkClass::none) {
    return PathChoice{
        PeerPath::refused,
        fmt::format("{} has no link between npu {} and npu {} (class none): refused{}.",
                    machine.source(), from, to,
                    wanted && *wanted != PeerPath::refused
                        ? fmt::format(", and {} cannot be forced", to_string(*wanted))
                        : "")};
  }
  std::string text = fmt::format("npu {} and npu {} are joined by {}: ", from, to, describe(link));
  PeerPath usual = default_path(link.link_class);
  if (wanted && *wanted != link.path) {
    text += fmt::format("{} would be used, but {} is forced, so {}.", to_string(link.path),
                        to_string(*wanted), meaning(*wanted));
    return PathChoice{*wanted, std::move(text)};
  }
  if (usual != link.path) {
    text += fmt::format("{}, because {} says so for this link where {} alone would give {}; {}.",
                        to_string(link.path), machine.source(), to_string(link.link_class),
                        to_string(usual), meaning(link.path));
  } else {
    text += fmt::format("{}, so {}.", to_string(link.path), meaning(link.path));
  }
  return PathChoice{link.path, std::move(text)};
}

}  // namespace canopy::topology
