// Spec texts for the tests of this folder: a good one, and it with one change.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/spec_file.h"

#include <string>
#include <string_view>

namespace canopy::topology {

// Four NPUs in two pairs: hccs inside a pair, sys between pairs.
inline constexpr std::string_view kTwoPairs = R"({
  "canopy_spec": 1,
  "name": "two-pairs",
  "count": 4,
  "npu": {"soc": "TestNPU", "cube_cores": 2, "vector_cores": 4, "aicpu_cores": 1, "hbm": "64M"},
  "links": {
    "classes": {"hccs": {"bandwidth_MBps": 28000, "latency_ns": 1500}},
    "mesh": "sys",
    "groups": [{"npus": [0, 2], "class": "hccs"}, {"npus": [1, 3], "class": "hccs"}]
  }
})";

// kTwoPairs with the first `from` replaced by `to`.
inline std::string changed(std::string_view from, std::string_view to) {
  std::string text(kTwoPairs);
  size_t at = text.find(from);
  return at == std::string::npos ? "" : text.replace(at, from.size(), to);
}

// The machine of `count` NPUs whose "links" part is `links`.
inline Result<Machine> machine_with_links(int count, std::string_view links) {
  return parse_spec(
      fmt::format(R"({{"canopy_spec": 1, "name": "test", "count": {}, "npu": {{"soc": "TestNPU",
                  "cube_cores": 1, "vector_cores": 1, "aicpu_cores": 1, "hbm": "64M"}},
                  "links": {}}})",
                  count, links),
      "test");
}

}  // namespace canopy::topology
