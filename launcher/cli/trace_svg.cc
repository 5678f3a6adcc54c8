#include "launcher/cli/trace_svg.h"

#include "launcher/cli/svg_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace canopy::cli {
namespace {

constexpr double kMargin = 24;
constexpr double kLabelWidth = 190;
constexpr double kPlotWidth = 1000;
constexpr double kLane = 16;
constexpr double kLaneGap = 3;
constexpr double kGroupTitle = 22;
constexpr double kPanelTitle = 30;
constexpr double kAxis = 34;
constexpr double kInset = 3;
constexpr double kNarrow = 0.4;  // pixels

// Distinct in hue and in lightness; used again when there are more names.
constexpr std::array<std::string_view, 10> kColours = {"#2a9df4", "#e08e0b", "#0b6e4f", "#c0392b",
                                                       "#5b2a86", "#8a8a8a", "#7fb800", "#00607a",
                                                       "#d36ba6", "#4a3b2a"};

// Waiting is pale, so that work stands out.
constexpr std::string_view kWaiting = "#f4cfc9";

bool is_waiting(std::string_view name) {
  constexpr std::string_view kParts[] = {"wait", "quiet", "barrier", "sync"};
  return std::any_of(std::begin(kParts), std::end(kParts), [&](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  });
}

// The distance of the axis' marks: 1, 2 or 5 times a power of ten, about ten of them.
double step_of(double length) {
  const double rough = std::max(length, 1e-3) / 10;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) {
      return factor * power;
    }
  }
  return 10 * power;
}

class Picture {
 public:
  Picture(const TraceFile& trace, const std::vector<TracePanel>& panels)
      : trace_(trace), panels_(panels) {
    double longest = 1e-3;
    for (const TracePanel& panel : panels) {
      longest = std::max(longest, panel.window.length());
    }
    scale_ = kPlotWidth / longest;
  }

  std::string draw() {
    std::string body;
    y_ = kMargin;
    for (const TracePanel& panel : panels_) {
      body += draw_panel(panel);
    }
    body += legend();
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
               "width=\"{0:.0f}\" "
               "height=\"{1:.0f}\" font-family=\"sans-serif\" fill=\"#1c1c1c\">\n"
               "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
               2 * kMargin + kLabelWidth + kPlotWidth, y_ + kMargin) +
           body + "</svg>\n";
  }

 private:
  std::string_view colour(size_t name) const {
    return is_waiting(trace_.names[name]) ? kWaiting : kColours[name % kColours.size()];
  }

  static bool meets(const TraceSpan& span, const TraceWindow& window) {
    return span.at.end >= window.begin && span.at.begin <= window.end;
  }

  double x(double us, const TraceWindow& window) const {
    return kMargin + kLabelWidth +
           (std::clamp(us, window.begin, window.end) - window.begin) * scale_;
  }

  std::string draw_panel(const TracePanel& panel) {
    y_ += kPanelTitle;
    std::string svg =
        svg_text(kMargin, y_ - 10, 16, "start",
                 fmt::format("{}: {:.3f} ms", panel.title, panel.window.length() / 1000));
    const double top = y_;
    std::string lanes;
    for (const TraceProcess& process : trace_.processes) {
      lanes += draw_process(process, panel.window);
    }
    svg += axis(panel.window, top);
    return svg + lanes;
  }

  std::string draw_process(const TraceProcess& process, const TraceWindow& window) {
    std::string svg;
    for (const TraceTrack& track : process.tracks) {
      if (std::none_of(track.spans.begin(), track.spans.end(),
                       [&](const TraceSpan& span) { return meets(span, window); })) {
        continue;
      }
      if (svg.empty()) {
        y_ += kGroupTitle;
        svg += svg_text(kMargin, y_ - 6, 13, "start", process.name);
      }
      svg += svg_text(kMargin + kLabelWidth - 8, y_ + kLane - 4, 10, "end", track.name);
      svg += draw_spans(track, window);
      y_ += kLane + kLaneGap;
    }
    return svg;
  }

  // Of one depth at a time, so that inner spans lie on the outer ones.
  std::string draw_spans(const TraceTrack& track, const TraceWindow& window) {
    int deepest = 0;
    for (const TraceSpan& span : track.spans) {
      deepest = std::max(deepest, span.depth);
    }
    std::string svg;
    for (int depth = 0; depth <= deepest; ++depth) {
      TraceSpan pending{{0, -1}, 0, depth};
      const auto put = [&] {
        if (pending.at.end >= pending.at.begin) {
          svg += rectangle(pending, window);
        }
      };
      for (const TraceSpan& span : track.spans) {
        if (span.depth != depth || !meets(span, window)) {
          continue;
        }
        seen_.resize(trace_.names.size());
        seen_[span.name] = true;
        const bool joins = pending.at.end >= pending.at.begin && pending.name == span.name &&
                           (span.at.end - pending.at.end) * scale_ < kNarrow;
        if (joins) {
          pending.at.end = std::max(pending.at.end, span.at.end);
          continue;
        }
        put();
        pending = span;
      }
      put();
    }
    return svg;
  }

  std::string rectangle(const TraceSpan& span, const TraceWindow& window) const {
    const double inset = std::min(kInset * span.depth, kLane / 2 - 1);
    const double left = x(span.at.begin, window);
    return fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\" "
        "fill-opacity=\"{}\">"
        "<title>{}: {:.3f} us</title></rect>\n",
        left, y_ + inset, std::max(x(span.at.end, window) - left, kNarrow), kLane - 2 * inset,
        colour(span.name), span.depth == 0 ? "0.35" : "0.95", svg_escaped(trace_.names[span.name]),
        span.at.length());
  }

  std::string axis(const TraceWindow& window, double top) {
    const double step = step_of(window.length());
    std::string svg = "<g stroke=\"#d8d8d8\">\n";
    std::string numbers;
    for (double us = 0; us <= window.length() + step / 1000; us += step) {
      const double at = x(window.begin + us, window);
      svg += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n",
                         at, top, y_ + 4);
      numbers += svg_text(at, y_ + 18, 10, "middle", fmt::format("{:g} ms", us / 1000));
    }
    y_ += kAxis;
    return svg + "</g>\n" + numbers;
  }

  std::string legend() {
    std::string svg;
    double left = kMargin + kLabelWidth;
    for (size_t name = 0; name < seen_.size(); ++name) {
      if (!seen_[name]) {
        continue;
      }
      const double width = 30 + 7 * static_cast<double>(trace_.names[name].size());
      if (left + width > kMargin + kLabelWidth + kPlotWidth) {
        left = kMargin + kLabelWidth;
        y_ += 20;
      }
      svg +=
          fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n",
                      left, y_, colour(name)) +
          svg_text(left + 17, y_ + 10, 12, "start", trace_.names[name]);
      left += width;
    }
    y_ += 20;
    return svg;
  }

  const TraceFile& trace_;
  const std::vector<TracePanel>& panels_;
  double scale_ = 1;
  double y_ = 0;  // where the next thing is drawn
  std::vector<bool> seen_;
};

}  // namespace

std::string trace_svg(const TraceFile& trace, const std::vector<TracePanel>& panels) {
  return Picture(trace, panels).draw();
}

}  // namespace canopy::cli
