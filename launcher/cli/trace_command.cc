// canopy trace: what a timeline says, in numbers and as a picture, without a browser.
#include "launcher/cli/command.h"
#include "launcher/cli/number.h"
#include "launcher/cli/trace_file.h"
#include "launcher/cli/trace_svg.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include <fmt/format.h>

namespace canopy::cli {
namespace {

struct TraceOptions {
  std::string file;
  std::string svg;
  std::vector<std::string> windows;
  double pause_us = 300;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

void print_summary(const TraceFile& trace) {
  say("{:.3f} ms, {} process(es)\n", trace.length / 1000, trace.processes.size());
  for (const TraceProcess& process : trace.processes) {
    std::vector<double> total(trace.names.size());
    std::vector<size_t> count(trace.names.size());
    std::vector<double> longest(trace.names.size());
    for (const TraceTrack& track : process.tracks) {
      for (const TraceSpan& span : track.spans) {
        total[span.name] += span.at.length();
        longest[span.name] = std::max(longest[span.name], span.at.length());
        ++count[span.name];
      }
    }
    say("\n{}: {} track(s)\n{:>10} {:>14} {:>14}  {}\n", process.name, process.tracks.size(),
               "spans", "total ms", "longest ms", "name");
    for (size_t name = 0; name < trace.names.size(); ++name) {
      if (count[name] != 0) {
        say("{:>10} {:>14.3f} {:>14.3f}  {}\n", count[name], total[name] / 1000,
                   longest[name] / 1000, trace.names[name]);
      }
    }
  }
}

int trace(const TraceOptions& options) {
  const auto file = read_trace(options.file);
  if (!file) {
    return complain_about_last_error("trace");
  }
  std::vector<TracePanel> panels;
  for (const std::string& names : options.windows) {
    const auto window = file->last_stretch(split(names), options.pause_us);
    if (!window) {
      return complain("trace", fmt::format("{} has no span called '{}'; there are: {}",
                                           options.file, names, fmt::join(file->names, ", ")));
    }
    panels.push_back({names, *window});
  }
  if (panels.empty()) {
    panels.push_back({options.file, {0, file->length}});
  }
  if (options.svg.empty()) {
    print_summary(*file);
    return 0;
  }
  std::ofstream out(options.svg, std::ios::trunc);
  out << trace_svg(*file, panels);
  out.close();
  if (!out) {
    return complain("trace",
                    fmt::format("{} cannot be written: {}", options.svg, std::strerror(errno)));
  }
  return 0;
}

}  // namespace

void add_trace(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("trace", "Sum a timeline up, or draw it");
  auto options = std::make_shared<TraceOptions>();
  command
      ->add_option("file", options->file,
                   "a timeline (canopy_trace_write, allgather_matmul --timeline)")
      ->required();
  command->add_option("--svg", options->svg, "draw it into this file instead of printing sums");
  command
      ->add_option(
          "--window", options->windows,
          "draw only the last time in which spans with these names (NAME[,NAME...]) ran; may be "
          "given several times, and the panels share one scale")
      ->take_all();
  command
      ->add_option("--pause", options->pause_us,
                   "how long a window's spans may pause, in microseconds")
      ->check(number_from(0.0, 1e17))
      ->capture_default_str();
  command->callback([&code, options] { code = trace(*options); });
}

}  // namespace canopy::cli
