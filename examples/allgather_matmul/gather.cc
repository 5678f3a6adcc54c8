#include "examples/allgather_matmul/gather.h"

#include "aclshmem.h"

#include <algorithm>
#include <vector>

namespace agmm {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{4} << 20;  // of C at a time

}  // namespace

Fallible<void> write_result(const Partition& part, const float* c, NpyWriter& out) {
  const uint64_t step = std::max<uint64_t>(1, kChunkBytes / sizeof(float) / part.n);
  std::vector<float> rows(std::min(step, part.m) * part.n);
  std::vector<float> block(std::min(step, part.m) * part.most_cols());
  for (uint64_t first = 0; first < part.m; first += step) {
    const uint64_t count = std::min(step, part.m - first);
    for (uint32_t pe = 0; pe < part.pes; ++pe) {
      const Range cols = part.cols_of(pe);
      if (cols.size() == 0) {
        continue;
      }
      aclshmem_getmem(block.data(), c + first * cols.size(), count * cols.size() * sizeof(float),
                      static_cast<int>(pe));
      for (uint64_t row = 0; row < count; ++row) {
        std::copy_n(block.begin() + static_cast<ptrdiff_t>(row * cols.size()), cols.size(),
                    rows.begin() + static_cast<ptrdiff_t>(row * part.n + cols.begin));
      }
    }
    if (auto written = out.append(std::span(rows).first(count * part.n)); !written) {
      return written;
    }
  }
  return out.finish();
}

}  // namespace agmm
