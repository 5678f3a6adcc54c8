#include "examples/allgather_matmul/tile_multiply.h"

#ifdef AGMM_HAVE_CBLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <climits>
#include <mutex>

namespace agmm {
namespace {

// Rows of B that are used for all rows of the A tile before the next ones: 64 rows of a 64-column
// tile take 16 KiB, half of a level-1 cache.
constexpr uint64_t kDepthStep = 64;

void multiply_with_loops(uint64_t rows, uint64_t cols, uint64_t depth, const float* a, uint64_t lda,
                         const float* b, uint64_t ldb, float* c, uint64_t ldc) {
  for (uint64_t i = 0; i < rows; ++i) {
    std::fill_n(c + i * ldc, cols, 0.0f);
  }
  for (uint64_t first = 0; first < depth; first += kDepthStep) {
    const uint64_t last = std::min(depth, first + kDepthStep);
    for (uint64_t i = 0; i < rows; ++i) {
      float* __restrict out = c + i * ldc;
      for (uint64_t p = first; p < last; ++p) {
        const float factor = a[i * lda + p];
        const float* __restrict row = b + p * ldb;
        for (uint64_t j = 0; j < cols; ++j) {
          out[j] += factor * row[j];
        }
      }
    }
  }
}

#ifdef AGMM_HAVE_CBLAS
// An OpenBLAS built without threads has no locks either, and two callers at once corrupt each
// other's work areas: there the products take turns. Null where they need not.
std::mutex* turns() {
  static std::mutex mutex;
  static const bool needed = [] {
    if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL) {
      return true;
    }
    openblas_set_num_threads(1);  // the blocks of the kernel are the parallelism
    return false;
  }();
  return needed ? &mutex : nullptr;
}
#endif

}  // namespace

void multiply_tile(uint64_t rows, uint64_t cols, uint64_t depth, const float* a, uint64_t lda,
                   const float* b, uint64_t ldb, float* c, uint64_t ldc) {
#ifdef AGMM_HAVE_CBLAS
  // The cblas interface takes int; a matrix wider than that goes through the loops.
  if (std::max({rows, cols, depth, lda, ldb, ldc}) <= INT_MAX) {
    std::unique_lock<std::mutex> turn;
    if (std::mutex* mutex = turns()) {
      turn = std::unique_lock(*mutex);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows),
                static_cast<int>(cols), static_cast<int>(depth), 1.0f, a, static_cast<int>(lda), b,
                static_cast<int>(ldb), 0.0f, c, static_cast<int>(ldc));
    return;
  }
#endif
  multiply_with_loops(rows, cols, depth, a, lda, b, ldb, c, ldc);
}

const char* multiply_tile_name() {
#ifdef AGMM_HAVE_CBLAS
  return "OpenBLAS sgemm";
#else
  return "loops";
#endif
}

}  // namespace agmm
