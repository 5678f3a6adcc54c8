// The cube unit's work: C tile = A tile x B tile, all in fp32, row-major.
//
// With OpenBLAS (AGMM_HAVE_CBLAS) it is one sgemm, otherwise loops that the compiler vectorises.
// Called from kernels: it does not wait and does not allocate. The result depends only on the
// arguments.
#pragma once

#include <cstdint>

namespace agmm {

// C[rows x cols] = A[rows x depth] * B[depth x cols]; `lda`, `ldb`, `ldc` are elements from one row
// to the next. C is overwritten, and does not overlap the others.
void multiply_tile(uint64_t rows, uint64_t cols, uint64_t depth, const float* a, uint64_t lda,
                   const float* b, uint64_t ldb, float* c, uint64_t ldc);

// What it is built on, for the report: "OpenBLAS sgemm" or "loops".
const char* multiply_tile_name();

}  // namespace agmm
