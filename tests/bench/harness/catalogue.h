// The list of what is measured: metrics, the commands of both sides, and what must be reached.
#pragma once

#include "tests/bench/harness/experiment.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace canopy::bench {

struct CatalogueOptions {
  std::filesystem::path programs;  // where the benchmark programs lie
  // Names to keep; empty keeps all. A name is a metric's.
  std::vector<std::string> wanted;
  size_t rounds = 11;
  // Few repeats inside each program: checks that they work, measures nothing.
  bool quick = false;
  bool peers = true;
  std::function<void(const std::string&)> progress;
};

// The experiments for the wanted metrics, each reduced to them. A peer that was not built is left
// out, and `progress` says why. Error: not_found, a wanted name that no experiment has (the
// sentence lists all names).
Result<std::vector<Experiment>> make_catalogue(const CatalogueOptions& options);

}  // namespace canopy::bench
