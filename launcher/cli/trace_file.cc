#include "launcher/cli/trace_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <unordered_map>

namespace canopy::cli {
namespace {
using nlohmann::json;

constexpr double kMostUs = 1e17;  // 3,000 years

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Result<TraceFile> read() {
    std::ifstream in(path_);
    if (!in) {
      return fail_errno(Errc::io, errno, "{} cannot be read", path_);
    }
    json all;
    try {
      all = json::parse(in, nullptr, false);
    } catch (const std::ios_base::failure&) {  // of the file itself: a folder, a device
      return fail(Errc::io, "{} cannot be read: it is no file with text", path_);
    }
    if (all.is_object() && all.contains("traceEvents")) {
      all = std::move(all["traceEvents"]);
    }
    if (!all.is_array()) {
      return fail(
          Errc::parse,
          "{} is no timeline: neither an array of trace events nor an object with traceEvents",
          path_);
    }
    for (size_t i = 0; i < all.size(); ++i) {
      CANOPY_TRY(take(all[i], i));
    }
    return finish();
  }

 private:
  Result<> take(const json& event, size_t index) {
    const std::string kind = event.is_object() ? event.value("ph", "") : "";
    if (kind != "X" && kind != "M") {
      return {};
    }
    try {
      const auto pid = event.at("pid").get<int64_t>();
      if (kind == "M") {
        name(event, pid);
        return {};
      }
      const double begin = event.at("ts").get<double>();
      const double length = event.at("dur").get<double>();
      if (!(std::abs(begin) <= kMostUs && length >= 0 && length <= kMostUs)) {
        return fail(Errc::parse, "{}: event {} begins at {} us and lasts {}: such times are no timeline's", path_, index, begin,
                    length);
      }
      Track& track = processes_[pid].tracks[event.at("tid").get<int64_t>()];
      track.spans.push_back(
          {{begin, begin + length}, number_of(event.at("name").get<std::string>()), 0});
    } catch (const json::exception& problem) {
      return fail(Errc::parse, "{}: event {} is not one of a timeline: {}", path_, index,
                  problem.what());
    }
    return {};
  }

  void name(const json& event, int64_t pid) {
    const std::string what = event.at("name").get<std::string>();
    if (what == "process_name") {
      processes_[pid].name = event.at("args").at("name").get<std::string>();
    } else if (what == "thread_name") {
      Track& track = processes_[pid].tracks[event.at("tid").get<int64_t>()];
      track.name = event.at("args").at("name").get<std::string>();
    }
  }

  size_t number_of(const std::string& name) {
    const auto [at, fresh] = numbers_.try_emplace(name, file_.names.size());
    if (fresh) {
      file_.names.push_back(name);
    }
    return at->second;
  }

  // Outer spans before the inner ones that begin with them; times from the first one.
  static void settle(std::vector<TraceSpan>& spans, double origin) {
    std::sort(spans.begin(), spans.end(), [](const TraceSpan& a, const TraceSpan& b) {
      return a.at.begin != b.at.begin ? a.at.begin < b.at.begin : a.at.end > b.at.end;
    });
    std::vector<double> open;  // ends of the spans that this one lies in
    for (TraceSpan& span : spans) {
      span.at.begin -= origin;
      span.at.end -= origin;
      while (!open.empty() && open.back() <= span.at.begin) {
        open.pop_back();
      }
      span.depth = static_cast<int>(open.size());
      open.push_back(span.at.end);
    }
  }

  Result<TraceFile> finish() {
    double origin = std::numeric_limits<double>::infinity();
    double last = -origin;
    for (const auto& [pid, process] : processes_) {
      for (const auto& [tid, track] : process.tracks) {
        for (const TraceSpan& span : track.spans) {
          origin = std::min(origin, span.at.begin);
          last = std::max(last, span.at.end);
        }
      }
    }
    for (auto& [pid, process] : processes_) {
      TraceProcess done{
          pid, process.name.empty() ? fmt::format("process {}", pid) : process.name, {}};
      for (auto& [tid, track] : process.tracks) {
        if (track.spans.empty()) {
          continue;
        }
        settle(track.spans, origin);
        done.tracks.push_back({tid, track.name.empty() ? fmt::format("track {}", tid) : track.name,
                               std::move(track.spans)});
      }
      file_.processes.push_back(std::move(done));
    }
    file_.length = last > origin ? last - origin : 0;
    return std::move(file_);
  }

  struct Track {
    std::string name;
    std::vector<TraceSpan> spans;
  };
  struct Process {
    std::string name;
    std::map<int64_t, Track> tracks;
  };

  const std::string& path_;
  TraceFile file_;
  std::unordered_map<std::string, size_t> numbers_;
  std::map<int64_t, Process> processes_;
};

}  // namespace

std::optional<TraceWindow> TraceFile::last_stretch(const std::vector<std::string>& of,
                                                   double pause) const {
  std::vector<TraceWindow> found;
  for (const TraceProcess& process : processes) {
    for (const TraceTrack& track : process.tracks) {
      for (const TraceSpan& span : track.spans) {
        if (std::find(of.begin(), of.end(), names[span.name]) != of.end()) {
          found.push_back(span.at);
        }
      }
    }
  }
  if (found.empty()) {
    return std::nullopt;
  }
  std::sort(found.begin(), found.end(),
            [](const TraceWindow& a, const TraceWindow& b) { return a.begin < b.begin; });
  TraceWindow stretch = found[0];
  for (const TraceWindow& span : found) {
    if (span.begin > stretch.end + pause) {
      stretch = span;
    }
    stretch.end = std::max(stretch.end, span.end);
  }
  return stretch;
}

Result<TraceFile> read_trace(const std::string& path) { return Reader(path).read(); }

}  // namespace canopy::cli
