#include "launcher/cli/topo_svg.h"

#include "launcher/cli/command.h"
#include "launcher/cli/svg_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace canopy::cli {
namespace {
using topology::Link;
using topology::LinkClass;
using topology::Machine;
using topology::Npu;
using topology::PeerPath;

constexpr double kBoxWidth = 150;
constexpr double kBoxHeight = 66;
constexpr double kMargin = 24;
constexpr double kTitleHeight = 56;
constexpr double kLegendWidth = 250;
constexpr double kLegendStep = 26;

struct Style {
  std::string_view colour;
  std::string_view meaning;
};
// By link class. Distinct in hue and in lightness, so that they also differ in grey.
constexpr std::array<Style, topology::kLinkClasses> kStyles = {
    {{"#000000", "the NPU itself"},
     {"#5b2a86", "two dies of a package"},
     {"#0b6e4f", "direct HCCS link"},
     {"#2a9df4", "HCCS through a switch"},
     {"#e08e0b", "one PCIe switch"},
     {"#c0392b", "PCIe host bridge"},
     {"#8a8a8a", "between sockets"},
     {"#ffffff", "no link"}}};

const Style& style(LinkClass link) { return kStyles[static_cast<size_t>(link)]; }

std::string line(double x1, double y1, double x2, double y2, const Link& link) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
      "stroke-width=\"2\"{}/>\n",
      x1, y1, x2, y2, style(link.link_class).colour,
      link.path == PeerPath::staged ? " stroke-dasharray=\"7 5\"" : "");
}

class Picture {
 public:
  explicit Picture(const Machine& machine) : machine_(machine) {
    // Neighbours on the circle must not overlap, whatever their number.
    double around = machine.count() * kBoxWidth * 1.2 / (2 * std::numbers::pi);
    radius_ = machine.count() == 1 ? 0 : std::max(around, 170.0);
    centre_x_ = kMargin + kBoxWidth / 2 + radius_;
    centre_y_ = kTitleHeight + kMargin + kBoxHeight / 2 + radius_;
    width_ = 2 * centre_x_ + kLegendWidth;
    double wanted = kTitleHeight + kLegendStep * (topology::kLinkClasses + 4);
    height_ = std::max(2 * centre_y_ - kTitleHeight, wanted);
  }

  std::string draw() const {
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" font-family=\"sans-serif\" fill=\"#1c1c1c\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        width_, height_);
    svg += svg_text(kMargin, 32, 20, "start",
                   fmt::format("{}: {} NPU{}", machine_.name(), machine_.count(),
                               machine_.count() == 1 ? "" : "s"));
    svg += svg_text(kMargin, 50, 12, "start", "from " + machine_.source());
    svg += links();
    for (int id = 0; id < machine_.count(); ++id) {
      svg += npu(machine_.npu(id));
    }
    return svg + legend() + "</svg>\n";
  }

 private:
  // NPU 0 at the top, then clockwise.
  double x(int id) const { return centre_x_ + radius_ * std::sin(angle(id)); }
  double y(int id) const { return centre_y_ - radius_ * std::cos(angle(id)); }
  double angle(int id) const { return 2 * std::numbers::pi * id / machine_.count(); }

  std::string links() const {
    std::string svg = "<g stroke-opacity=\"0.75\">\n";
    for (int a = 0; a < machine_.count(); ++a) {
      for (int b = a + 1; b < machine_.count(); ++b) {
        if (machine_.link(a, b).path != PeerPath::refused) {
          svg += line(x(a), y(a), x(b), y(b), machine_.link(a, b));
        }
      }
    }
    return svg + "</g>\n";
  }

  std::string npu(const Npu& npu) const {
    double left = x(npu.id) - kBoxWidth / 2;
    double top = y(npu.id) - kBoxHeight / 2;
    std::string_view mark = npu.placeholder ? "*" : "";
    std::string svg = fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#eef3f8\" "
        "stroke=\"#33475b\"/>\n",
        left, top, kBoxWidth, kBoxHeight);
    svg += svg_text(x(npu.id), top + 19, 14, "middle", fmt::format("npu {}  {}", npu.id, npu.soc));
    svg += svg_text(x(npu.id), top + 37, 11, "middle",
                   fmt::format("{}c + {}v, {}{}", npu.cube_cores, npu.vector_cores,
                               readable_bytes(npu.hbm_bytes), mark));
    return svg +
           svg_text(x(npu.id), top + 54, 11, "middle",
                   fmt::format("NUMA {}{}{}", npu.numa_node, npu.nic.empty() ? "" : ", ", npu.nic));
  }

  std::string legend() const {
    std::array<bool, topology::kLinkClasses> present{};
    bool staged = false;
    bool refused = false;
    for (int a = 0; a < machine_.count(); ++a) {
      for (int b = a + 1; b < machine_.count(); ++b) {
        const Link& link = machine_.link(a, b);
        present[static_cast<size_t>(link.link_class)] |= link.path != PeerPath::refused;
        staged |= link.path == PeerPath::staged;
        refused |= link.path == PeerPath::refused;
      }
    }
    double left = width_ - kLegendWidth;
    double top = kTitleHeight + kMargin;
    std::string svg;
    auto entry = [&](const Link& link, std::string_view text) {
      svg += line(left, top, left + 34, top, link) + svg_text(left + 44, top + 4, 12, "start", text);
      top += kLegendStep;
    };
    for (int i = 0; i < topology::kLinkClasses; ++i) {
      if (present[static_cast<size_t>(i)]) {
        Link link{static_cast<LinkClass>(i), PeerPath::direct};
        entry(link,
              fmt::format("{}: {}", to_string(link.link_class), style(link.link_class).meaning));
      }
    }
    auto note = [&](std::string_view text) {
      svg += svg_text(left, top + 4, 12, "start", text);
      top += kLegendStep;
    };
    if (staged) {
      note("dashed: staged through host memory");
    }
    if (refused) {
      note("no line: peer access refused");
    }
    note("c, v: cube and vector cores");
    note("*: placeholder, not from a data sheet");
    return svg;
  }

  const Machine& machine_;
  double radius_ = 0;
  double centre_x_ = 0;
  double centre_y_ = 0;
  double width_ = 0;
  double height_ = 0;
};

}  // namespace

std::string topo_svg(const Machine& machine) { return Picture(machine).draw(); }

}  // namespace canopy::cli
