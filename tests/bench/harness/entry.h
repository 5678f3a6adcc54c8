// Entry: what the catalogue is made of: metrics, and the two programs that print them. Data only.
#pragma once

#include "tests/bench/harness/experiment.h"

#include <string>
#include <utility>
#include <vector>

namespace canopy::bench {

// One side as data. A side without a program is absent.
struct Program {
  std::string name;  // of the executable
  std::vector<std::string> args;  // before the names of the metrics
  int pes = 0;  // 0: started directly; else by mpirun, two pinned, more of them as users run them
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<std::string> mpirun_args;
  int hosts = 0;  // > 0: on so many fake hosts
  // Measures the run itself under this name instead of reading RESULT lines.
  std::string wall_clock_metric;
};

struct Entry {
  std::vector<Metric> metrics;
  Program ours;
  Program peer;
  std::string peer_name;
  size_t rounds = 0;  // 0: as many as asked for
  std::string not_quick;  // why --quick leaves it out; empty: it does not
  std::string mean;  // Experiment::mean
};

inline Metric plain(std::string name, std::string unit) {
  Metric metric;
  metric.name = std::move(name);
  metric.unit = std::move(unit);
  return metric;
}

inline Metric limited(std::string name, std::string unit, double limit) {
  Metric metric = plain(std::move(name), std::move(unit));
  metric.value_limit = limit;
  return metric;
}

inline Metric beats_peer(std::string name, std::string unit, double ratio) {
  Metric metric = plain(std::move(name), std::move(unit));
  metric.ratio_limit = ratio;
  return metric;
}

// At most so much more than the peer.
inline Metric close_to_peer(std::string name, std::string unit, double excess) {
  Metric metric = plain(std::move(name), std::move(unit));
  metric.excess_limit = excess;
  return metric;
}

inline Metric rate(Metric metric) {
  metric.higher_is_better = true;
  return metric;
}

// Under another name than the programs know it by.
inline Metric printed_as(Metric metric, std::string name) {
  metric.printed_as = std::move(name);
  return metric;
}

// The metrics of shmem, with OpenMPI's OSHMEM as their peer (shmem_entries.cc).
std::vector<Entry> shmem_entries();

}  // namespace canopy::bench
