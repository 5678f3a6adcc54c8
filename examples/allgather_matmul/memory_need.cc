#include "examples/allgather_matmul/memory_need.h"

#include "examples/allgather_matmul/kernels.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace agmm {
namespace {

constexpr uint64_t kHeapStep = uint64_t{2} << 20;  // what local_mem_size must be a multiple of
constexpr uint64_t kHeapLimit = uint64_t{40} << 30;
// For what the allocator adds: alignment of three allocations.
constexpr uint64_t kHeapSlack = 4096;

// Adds rows * cols * element bytes to *sum; false when that leaves 64 bits.
bool add_matrix(uint64_t rows, uint64_t cols, uint64_t element, uint64_t* sum) {
  uint64_t nbytes = 0;
  return !__builtin_mul_overflow(rows, cols, &nbytes) &&
         !__builtin_mul_overflow(nbytes, element, &nbytes) &&
         !__builtin_add_overflow(*sum, nbytes, sum);
}

std::string mebibytes(uint64_t nbytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(nbytes) / (1 << 20));
}

// What is left below `folder`'s limit; nothing when it sets none.
std::optional<uint64_t> left_in_cgroup(const std::filesystem::path& folder) {
  uint64_t most = 0;
  uint64_t used = 0;
  if (!(std::ifstream(folder / "memory.max") >> most) ||
      !(std::ifstream(folder / "memory.current") >> used)) {
    return {};  // "max" is no number
  }
  return most > used ? most - used : 0;
}

}  // namespace

Fallible<MemoryNeed> memory_need(const Partition& part) {
  MemoryNeed need;
  need.heap = kHeapSlack;
  need.private_hbm = kTicketBytes;
  const bool fits = add_matrix(part.m, part.k, sizeof(float), &need.heap) &&
                    add_matrix(part.m, part.most_cols(), sizeof(float), &need.heap) &&
                    add_matrix(part.row_tiles(), 1, sizeof(int32_t), &need.heap) &&
                    add_matrix(part.k, part.most_cols(), sizeof(float), &need.private_hbm) &&
                    add_matrix(part.k, part.most_cols(), sizeof(float), &need.host) &&
                    add_matrix(part.m, part.most_cols(), sizeof(float), &need.host) &&
                    need.heap <= std::numeric_limits<uint64_t>::max() / 8 &&
                    need.private_hbm <= std::numeric_limits<uint64_t>::max() / 8 &&
                    need.host <= std::numeric_limits<uint64_t>::max() / 8;
  if (!fits) {
    return failure("the sizes of a {} x {} by {} x {} product overflow 64 bits", part.m, part.k,
                   part.k, part.n);
  }
  need.heap = (need.heap + kHeapStep - 1) / kHeapStep * kHeapStep;
  return need;
}

Fallible<void> check_memory(const MemoryNeed& need, const MemoryLimits& limits) {
  if (need.heap > kHeapLimit) {
    return failure(
        "too little memory: A and a column block of C need {} of symmetric heap per rank, "
        "the limit of a heap is {}",
        mebibytes(need.heap), mebibytes(kHeapLimit));
  }
  const uint64_t hbm = need.heap + need.private_hbm;
  const auto on_npu = static_cast<uint64_t>(limits.ranks_on_npu);
  if (hbm > limits.hbm_free / on_npu) {
    return failure(
        "too little memory: each rank needs {} of HBM, the NPU has {} free for {} rank(s)",
        mebibytes(hbm), mebibytes(limits.hbm_free), on_npu);
  }
  const auto on_host = static_cast<uint64_t>(limits.ranks_on_host);
  if (need.all() > limits.host_free / on_host) {
    return failure("too little memory: each rank needs {}, the host has {} free for {} rank(s)",
                   mebibytes(need.all()), mebibytes(limits.host_free), on_host);
  }
  return {};
}

uint64_t available_host_memory() {
  uint64_t available = std::numeric_limits<uint64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    if (line.rfind("MemAvailable:", 0) == 0) {
      available = std::stoull(line.substr(13)) * 1024;
    }
  }
  // "0::/path": the process's place in the v2 tree. Every level above may set a limit of its own.
  std::ifstream cgroup("/proc/self/cgroup");
  for (std::string line; std::getline(cgroup, line);) {
    if (line.rfind("0::/", 0) != 0) {
      continue;
    }
    std::filesystem::path place = line.substr(4);
    const std::filesystem::path root = "/sys/fs/cgroup";
    for (;; place = place.parent_path()) {
      if (auto left = left_in_cgroup(root / place)) {
        available = std::min(available, *left);
      }
      if (place.empty()) {
        break;
      }
    }
  }
  return available;
}

}  // namespace agmm
