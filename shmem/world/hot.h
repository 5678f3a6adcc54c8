// Hot: all that a put, a get, an AMO or a signal reads of the World, in two cache lines plus one
// entry per PE. Written at init and when the last finalize takes it back; read without locks by any
// thread. Every open context (shmem/context) has one of its own, which differs where the context does.
//
// A symmetric address becomes an address of PE `pe` by one subtract, one compare and one add:
//
//   offset = address - base      (base: where this PE's own user area begins in our address space)
//   offset < peers[pe].bytes ?   (both heaps lie in one area, so this one compare covers both)
//   peers[pe].base + offset
//
// A PE that loads and stores do not reach has no bytes: the same compare sends operations on it to
// the cold path (shmem/rma/far_ops.h), which also says what is wrong where something is. When
// nothing is initialised, current_hot() is a Hot without PEs. So the hot path has neither a null
// check nor a look at the kind of path.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/doorbell.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

class World;
class FarPaths;
class OpenContext;

struct alignas(32) PeerEntry {
  uintptr_t base = 0;        // of the PE's user area, here; 0: not in our address space
  size_t bytes = 0;          // of it that loads and stores are the path to
  Doorbell* bell = nullptr;  // never null where there are bytes or nothing is moved: else our own
};
static_assert(sizeof(PeerEntry) == 32, "one shift finds the entry, and none straddles a line");

struct Hot {
  uintptr_t base = 0;
  const PeerEntry* peers = nullptr;  // by the number that callers use
  uint32_t n_pes = 0;
  int32_t my_pe = 0;  // in the job; -1 where there is none
  World* world = nullptr;
  size_t bytes = 0;         // of this PE's user area
  FarPaths* far = nullptr;  // the way to those without bytes; null: there are none
  OpenContext* context = nullptr;  // null: the default one
  // The executable's globals, and where they lie in this PE's user area as well (globals.h).
  uintptr_t globals = 0;
  size_t globals_bytes = 0;
  uintptr_t globals_at = 0;
  const Hot* behind = nullptr;  // debug mode: the true one, which this stands in front of (debug/front.h)
};

// Globals have two addresses: the program's own, and one at the end of the host heap, where all
// that is true of heap addresses is true of them. The hot path knows the second only; its cold side
// and whatever takes an address once per call translates the first into it. Other addresses stay.
template <class T>
inline T* in_user_area(const Hot& hot, T* address) {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(address) - hot.globals;
  return offset < hot.globals_bytes ? reinterpret_cast<T*>(hot.globals_at + offset) : address;
}

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

// How many Worlds of this process have PEs that loads and stores do not reach: what fence, quiet
// and tests read instead of the Hot, to stay as short as they are without.
namespace hot_detail {
[[gnu::visibility("hidden")]] extern uint32_t far_worlds;
}
inline bool any_far() { return load_relaxed(&hot_detail::far_worlds) != 0; }  // orders nothing

// Makes `hot` the process's (or, with for_thread, the calling thread's); null takes it back.
void set_current(Hot* hot, bool for_thread);

// Reports why `nelems` elements at `address` on `pe` are not a target (not initialised, PE out of
// range, not symmetric) and ends the job.
[[noreturn, gnu::cold]] void bad_target(const Hot& hot, const void* address, size_t nelems,
                                        size_t element_bytes, int pe, const char* routine);

// Where an object of a PE is for loads and stores.
struct Remote {
  std::byte* at;
  Doorbell* bell;
  bool direct;  // false: the cold path has to look; a constant wherever the compiler sees both ends

  // Wakes what sleeps on that PE. REQUIRES: the store was made.
  void ring() const { bell->ring(BellScope::host); }
};

// `nelems` elements from `address` on, on `pe`.
template <size_t kElementBytes>
inline Remote translate(const Hot& hot, const void* address, size_t nelems, int pe) {
  if (static_cast<uint32_t>(pe) < hot.n_pes) [[likely]] {
    const PeerEntry& peer = hot.peers[pe];
    // Below base it wraps to a huge offset. One subtraction tells whether it lies in the area, and
    // how much of that follows; at its end only nothing fits.
    const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
    size_t room = 0;
    if (!__builtin_sub_overflow(peer.bytes, offset, &room) && nelems <= room / kElementBytes)
        [[likely]] {
      return {reinterpret_cast<std::byte*>(peer.base + offset), peer.bell, true};
    }
  }
  return {nullptr, nullptr, false};
}

// The same for one element. Its end needs no check: behind an area nothing is mapped. (One that begins at the very end of the
// heap, misaligned, ends in the globals behind it.)
template <class T>
inline Remote translate_one(const Hot& hot, const T* address, int pe) {
  if (static_cast<uint32_t>(pe) < hot.n_pes) [[likely]] {
    const PeerEntry& peer = hot.peers[pe];
    const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
    if (offset < peer.bytes) [[likely]] {
      return {reinterpret_cast<std::byte*>(peer.base + offset), peer.bell, true};
    }
  }
  return {nullptr, nullptr, false};
}

}  // namespace canopy::shmem
