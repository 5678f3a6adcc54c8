// The main() of programs with a table of benchmarks: runs those that the arguments name, in their order.
#pragma once

#include "tests/bench/support/ticks.h"

#include <cstdio>
#include <cstring>
#include <span>

struct NamedBenchmark {
  const char* name;
  void (*run)(double ns_per_tick);
};

// The exit code: 2 when an argument names none, and then nothing behind it has run.
inline int run_named(const char* program, std::span<const NamedBenchmark> benchmarks, int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    const NamedBenchmark* found = nullptr;
    for (const NamedBenchmark& each : benchmarks) {
      found = std::strcmp(each.name, argv[i]) == 0 ? &each : found;
    }
    if (found == nullptr) {
      std::fprintf(stderr, "%s: no benchmark is called %s\n", program, argv[i]);
      return 2;
    }
    found->run(ns_per_tick);
  }
  return 0;
}
