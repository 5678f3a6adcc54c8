// OpCounts: how many operations this process issued, from host code and from kernels apart.
//
// Every thread counts in cells of its own: a count is one plain increment, never an atomic
// read-modify-write, and op_counts() adds the cells up. The sum is exact once the counting threads
// have synchronised with the reader (a stream synchronised, a thread joined). shmem_* calls count
// as issued by the host: they are the host's interface. aclshmem_* calls ask where they are.
#pragma once

#include "runtime/base/cache_line.h"
#include "shmem/world/kernel_side.h"

#include <array>
#include <cstdint>

namespace canopy::shmem {

// ring_full: a kernel found its core's request ring full, and waited.
enum class Op : uint8_t { put, get, signal, amo, wait, barrier, ring_full, count };

// Of one thread, on cache lines of its own.
struct alignas(kCacheLine) OpCells {
  uint64_t cells[2][static_cast<size_t>(Op::count)] = {};
};

struct OpCounts {
  std::array<uint64_t, static_cast<size_t>(Op::count)> host{};
  std::array<uint64_t, static_cast<size_t>(Op::count)> device{};
};

namespace op_counts_detail {
[[gnu::visibility("hidden"),
  gnu::tls_model("initial-exec")]] extern constinit thread_local OpCells* mine;
[[gnu::cold, gnu::noinline]] OpCells* enrol();
}  // namespace op_counts_detail

inline void count_op(Op op, bool device) {
  OpCells* cells = op_counts_detail::mine;
  if (cells == nullptr) [[unlikely]] {
    cells = op_counts_detail::enrol();
  }
  uint64_t* cell = &cells->cells[device][static_cast<size_t>(op)];
  // Relaxed store by the only writer: the reader gets old or new, never a torn value.
  store_relaxed(cell, *cell + 1);
}
inline void count_host(Op op) { count_op(op, false); }
inline void count_here(Op op) { count_op(op, in_kernel()); }

// Since the last reset_op_counts(). Any thread.
OpCounts op_counts();
// Called when a World begins.
void reset_op_counts();

}  // namespace canopy::shmem
