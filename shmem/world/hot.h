// Hot: all that a put, a get, an AMO or a signal reads of the World, in two cache lines plus one
// entry per PE. Written at init and when the last finalize takes it back; read without locks by any
// thread.
//
// A symmetric address becomes an address of PE `pe` by one subtract, one compare and one add:
//
//   offset = address - base         (base: where this PE's own user area begins in our address
//   space) offset < bytes ?                (both heaps lie in one area, so this one compare covers
//   both) peers[pe].base + offset
//
// When nothing is initialised, current_hot() is a Hot with no bytes and no PEs: every call then
// fails the compare and reaches the slow path, which says what is wrong. So the hot path has no
// null check.
#pragma once

#include "runtime/base/doorbell.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

class World;

struct PeerEntry {
  uintptr_t base = 0;  // of the PE's user area, here
  Doorbell* bell = nullptr;
};
static_assert(sizeof(PeerEntry) == 16);

struct Hot {
  uintptr_t base = 0;
  size_t bytes = 0;
  uint32_t n_pes = 0;
  int32_t my_pe = -1;
  const PeerEntry* peers = nullptr;
  World* world = nullptr;
};

namespace hot_detail {
extern Hot* process_hot;  // never null
// For threads that are PEs of their own (tests): overrides the process's.
extern thread_local Hot* thread_hot __attribute__((tls_model("initial-exec")));
}  // namespace hot_detail

inline const Hot& current_hot() {
  if (const Hot* own = hot_detail::thread_hot) [[unlikely]] {
    return *own;
  }
  // Relaxed: init and finalize are ordered with their users by the program.
  return *std::atomic_ref<Hot*>(hot_detail::process_hot).load(std::memory_order_relaxed);
}

// The World of this thread or process; null before init and after finalize.
inline World* current_world() { return current_hot().world; }

// Makes `hot` the process's (or, with for_thread, the calling thread's); null takes it back.
void set_current(Hot* hot, bool for_thread);

// Reports why `nelems` elements at `address` on `pe` are not a target (not initialised, PE out of
// range, not symmetric, forked child) and ends the job. `routine` is the caller's public name.
[[noreturn, gnu::cold]] void bad_target(const Hot& hot, const void* address, size_t nelems,
                                        size_t element_bytes, int pe, const char* routine);

// The address of the same object on `pe`, for an operation on `nelems` elements from there on. Null
// when there are none: an operation of nothing may point anywhere.
template <size_t kElementBytes>
inline std::byte* translate(const Hot& hot, const void* address, size_t nelems, int pe,
                            const char* routine) {
  const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
  // The first compare also catches addresses below base: they wrap to huge offsets.
  if (offset >= hot.bytes || nelems > (hot.bytes - offset) / kElementBytes ||
      static_cast<uint32_t>(pe) >= hot.n_pes) [[unlikely]] {
    if (nelems == 0 && static_cast<uint32_t>(pe) < hot.n_pes) {
      return nullptr;
    }
    bad_target(hot, address, nelems, kElementBytes, pe, routine);
  }
  return reinterpret_cast<std::byte*>(hot.peers[pe].base + offset);
}

// Wakes what sleeps on that PE. REQUIRES: translate() accepted `pe`; the store was made.
inline void ring(const Hot& hot, int pe) { hot.peers[pe].bell->ring(BellScope::host); }

}  // namespace canopy::shmem
