#include "examples/allgather_matmul/options.h"

#include <CLI/CLI.hpp>

#include <limits>
#include <sstream>

namespace agmm {

std::optional<Leave> parse_options(int argc, char** argv, Options* options) {
  CLI::App app(
      "C = A x B over all ranks: row blocks of A travel from card to card, tile by tile, inside "
      "the "
      "kernel that multiplies them. Start it with mpirun -n RANKS.",
      "allgather_matmul");
  constexpr auto most = std::numeric_limits<uint64_t>::max();
  auto* a = app.add_option("--a", options->a_path, "A as a .npy file (fp32, 2-D)");
  auto* b = app.add_option("--b", options->b_path, "B as a .npy file (fp32, 2-D)");
  a->needs(b);
  b->needs(a);
  app.add_flag("--transpose-b", options->transpose_b, "the file holds B transposed")->needs(b);
  const auto named = [](const std::string& given) {
    return given.empty() ? "the name of the file is empty" : std::string();
  };
  app.add_option("--out", options->out_path, "write C to this .npy file")->check(named);
  app.add_option("--timeline", options->timeline_path,
                 "write a timeline that opens in Perfetto (ui.perfetto.dev) to this file")
      ->check(named);
  const auto size = [&](const char* name, uint64_t& value, const char* text) {
    return app.add_option(name, value, text)
        ->check([](const std::string& given) {  // the conversion would wrap it
          return given.find('-') == std::string::npos ? std::string() : "must not be negative";
        })
        ->check(CLI::Range(uint64_t{1}, most))
        ->capture_default_str();
  };
  size("--m", options->m, "rows of the seeded A")->excludes(a);
  size("--k", options->k, "columns of the seeded A, rows of B")->excludes(a);
  size("--n", options->n, "columns of the seeded B")->excludes(a);
  app.add_option("--seed", options->seed, "seed of the matrices")
      ->capture_default_str()
      ->excludes(a);
  size("--tile", options->tile, "rows and columns of a tile");
  app.add_option("--blocks", options->blocks, "blocks of each kernel")
      ->check(CLI::Range(1u, 65535u))
      ->capture_default_str();
  app.add_option("--repeat", options->repeat, "repetitions; the medians are printed")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  app.add_option("--device", options->device,
                 "NPU of every rank (default: the rank's number on its host, modulo the NPUs)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--check-budget", options->check_budget,
                 "multiply-adds the reference may cost per rank before it samples rows")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int status = app.exit(error, out, err);
    return Leave{status == 0 ? 0 : 1, out.str() + err.str()};
  }
  return std::nullopt;
}

}  // namespace agmm
