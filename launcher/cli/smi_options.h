// What `canopy smi` was asked to do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace canopy::cli {

struct SmiOptions {
  std::string view;
  std::string spec;
  std::optional<int> device;
  std::optional<double> watch;    // seconds
  std::optional<uint64_t> count;  // looks of --watch; nothing: no end
  bool json = false;
  bool events = false;
  std::vector<std::string> inject;
  bool clear = false;
  bool reset = false;
  bool force = false;
  std::optional<std::string> export_folder;

  // The action's name, "" when it only looks.
  std::string action() const;
};

// Declares the options; what is no number of its range is an error of the parser's.
std::shared_ptr<SmiOptions> add_smi_options(CLI::App* command);

// Whether they go together: 0, or the exit code after a sentence.
int check_smi_options(const SmiOptions& options);

}  // namespace canopy::cli
