// bench_pin PROGRAM ARGS...: binds the process to the core of its rank (modulo the cores it may use)
// and becomes PROGRAM. The rank in the job, because fake hosts share the cores of one machine. Both sides of a comparison go through it, so that both sit alike.
#include "runtime/base/env.h"

#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "bench_pin: usage: bench_pin PROGRAM ARGS...\n");
    return 2;
  }
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    std::perror("bench_pin: sched_getaffinity");
    return 1;
  }
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) {
      cores.push_back(core);
    }
  }
  const size_t rank = static_cast<size_t>(canopy::env::integer("OMPI_COMM_WORLD_RANK").value_or(0));
  cpu_set_t mine;
  CPU_ZERO(&mine);
  CPU_SET(cores[rank % cores.size()], &mine);
  if (::sched_setaffinity(0, sizeof mine, &mine) != 0) {
    std::perror("bench_pin: sched_setaffinity");
    return 1;
  }
  ::execv(argv[1], argv + 1);
  std::perror("bench_pin: cannot start the program");
  return 127;
}
