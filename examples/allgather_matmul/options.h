// What the command line asks for.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <cstdint>
#include <optional>
#include <string>

namespace agmm {

struct Options {
  std::string a_path;  // "" with the next: seeded matrices
  std::string b_path;
  bool transpose_b = false;
  std::string out_path;
  std::string timeline_path;
  uint64_t m = 1000;
  uint64_t k = 700;
  uint64_t n = 900;
  uint64_t seed = 1;
  uint64_t tile = 128;
  uint32_t blocks = 8;
  int repeat = 5;
  int device = -1;  // -1: the rank's number on its host, modulo the number of NPUs
  uint64_t check_budget = 400'000'000;  // multiply-adds of the reference, per rank
};

// What to do instead of running: print `text` and leave with `status`.
struct Leave {
  int status = 0;
  std::string text;
};

// Fills *options; a value means that there is nothing to run (--help, or a mistake).
std::optional<Leave> parse_options(int argc, char** argv, Options* options);

}  // namespace agmm
