// A timeline as canopy_trace_write and allgather_matmul write it: an array of trace events, of
// which complete spans ("ph": "X") and names ("ph": "M") are read and others are left alone.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace canopy::cli {

// Microseconds from the first span of the file.
struct TraceWindow {
  double begin = 0;
  double end = 0;
  double length() const { return end - begin; }
};

struct TraceSpan {
  TraceWindow at;
  size_t name = 0;  // in TraceFile::names
  int depth = 0;    // how many spans of its track it lies in
};

struct TraceTrack {
  int64_t id = 0;
  std::string name;
  std::vector<TraceSpan> spans;  // by begin
};

struct TraceProcess {
  int64_t id = 0;
  std::string name;
  std::vector<TraceTrack> tracks;  // by id
};

struct TraceFile {
  std::vector<std::string> names;       // of spans, in order of appearance
  std::vector<TraceProcess> processes;  // by id
  double length = 0;

  // The last stretch of time in which spans with one of these names follow each other, in all
  // processes together, with pauses of at most `pause` microseconds. Nothing when there is no such
  // span.
  std::optional<TraceWindow> last_stretch(const std::vector<std::string>& of, double pause) const;
};

// Errors: io; parse, with the place.
Result<TraceFile> read_trace(const std::string& path);

}  // namespace canopy::cli
