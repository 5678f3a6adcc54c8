// The report: what each rank tells, how it travels to rank 0, and the table rank 0 prints.
#pragma once

#include "examples/allgather_matmul/partition.h"
#include "examples/allgather_matmul/passes.h"
#include "examples/allgather_matmul/reference.h"

#include <cstdint>
#include <string>
#include <vector>

namespace agmm {

struct RankReport {
  std::string host;
  std::string npu;                 // number and SoC name
  std::vector<std::string> paths;  // to each rank, in rank order
  PassTimes times;
  CheckResult check;
  // Operations issued during the passes, by blocks of kernels and by host code.
  uint64_t kernel_puts = 0, kernel_signals = 0, kernel_waits = 0;
  uint64_t host_puts = 0, host_signals = 0, host_waits = 0;
};

std::string to_text(const RankReport& report);
RankReport from_text(const std::string& text);

// The table, the counters and the verdict. Whether a rank's overlap can be told: see the README.
std::string render(const Partition& part, const std::vector<RankReport>& ranks);

}  // namespace agmm
