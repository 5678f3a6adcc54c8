#include "topology/model/machine.h"

#include "runtime/base/check.h"

#include <array>
#include <utility>

namespace canopy::topology {
namespace {
constexpr std::array<std::string_view, kLinkClasses> kClassNames = {
    "self", "sio", "hccs", "hccs_switch", "pix", "phb", "sys", "none"};
constexpr std::array<std::string_view, 3> kPathNames = {"direct", "staged", "refused"};

template <class Enum, size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view text) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == text) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}
}  // namespace

std::string_view to_string(LinkClass link) { return kClassNames[static_cast<size_t>(link)]; }

std::optional<LinkClass> parse_link_class(std::string_view text) {
  return find_name<LinkClass>(kClassNames, text);
}

std::string_view to_string(PeerPath path) { return kPathNames[static_cast<size_t>(path)]; }

std::optional<PeerPath> parse_peer_path(std::string_view text) {
  return find_name<PeerPath>(kPathNames, text);
}

PeerPath default_path(LinkClass link) {
  switch (link) {
    case LinkClass::self:
    case LinkClass::sio:
    case LinkClass::hccs:
    case LinkClass::hccs_switch:
    case LinkClass::pix:
      return PeerPath::direct;
    case LinkClass::phb:
    case LinkClass::sys:
      return PeerPath::staged;
    case LinkClass::none:
      break;
  }
  return PeerPath::refused;
}

Machine::Machine(std::string name, std::string source, std::vector<Npu> npus,
                 std::vector<Link> links)
    : name_(std::move(name)),
      source_(std::move(source)),
      npus_(std::move(npus)),
      links_(std::move(links)) {
  CHECK(npus_.size() <= static_cast<size_t>(kMaxNpus), "build a machine of at most kMaxNpus NPUs");
  CHECK(links_.size() == npus_.size() * npus_.size(), "give one link for every ordered pair");
  for (size_t i = 0; i < npus_.size(); ++i) {
    CHECK(npus_[i].id == static_cast<int>(i), "number the NPUs from 0 without gaps");
  }
}

}  // namespace canopy::topology
