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
// Hidden, constinit, initial-exec: each is one load in the code that uses it.
[[gnu::visibility("hidden")]] extern Hot* process_hot;  // never null
// For threads that are PEs of their own (tests): overrides the process's.
[[gnu::visibility("hidden"),
  gnu::tls_model("initial-exec")]] extern constinit thread_local Hot* thread_hot;
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

// An object of another PE, as this PE reaches it.
struct Remote {
  std::byte* at;
  Doorbell* bell;

  // Wakes what sleeps on that PE. REQUIRES: the store was made.
  void ring() const { bell->ring(BellScope::host); }
};

// The same object on `pe`, for an operation on `nelems` elements from there on. `at` is null when
// there are none: an operation of nothing may point anywhere.
template <size_t kElementBytes>
inline Remote translate(const Hot& hot, const void* address, size_t nelems, int pe,
                        const char* routine) {
  const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
  // The first compare also catches addresses below base: they wrap to huge offsets.
  if (offset >= hot.bytes || nelems > (hot.bytes - offset) / kElementBytes ||
      static_cast<uint32_t>(pe) >= hot.n_pes) [[unlikely]] {
    if (nelems == 0 && static_cast<uint32_t>(pe) < hot.n_pes) {
      return {nullptr, hot.peers[pe].bell};
    }
    bad_target(hot, address, nelems, kElementBytes, pe, routine);
  }
  const PeerEntry peer = hot.peers[pe];
  return {reinterpret_cast<std::byte*>(peer.base + offset), peer.bell};
}

// The same for one element. Its end needs no check: heaps end where nothing is mapped.
template <class T>
inline Remote translate_one(const Hot& hot, const T* address, int pe, const char* routine) {
  const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
  if (offset >= hot.bytes || static_cast<uint32_t>(pe) >= hot.n_pes) [[unlikely]] {
    bad_target(hot, address, 1, sizeof(T), pe, routine);
  }
  const PeerEntry peer = hot.peers[pe];
  return {reinterpret_cast<std::byte*>(peer.base + offset), peer.bell};
}

}  // namespace canopy::shmem
