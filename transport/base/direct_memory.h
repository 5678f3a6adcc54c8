// The operations on memory that is in our address space, whoever owns it. Both direct transports
// are these functions behind range checks; shmem's hot path (shmem/rma, shmem/amo) calls them with
// addresses from its own table and inlines the scalar ones.
//
// Order: scalar stores are single-copy atomic for 1, 2, 4 and 8 aligned bytes, and otherwise plain.
// fence() is a release fence, quiet() has the StoreLoad fence in it. Thread-safe.
#pragma once

#include "runtime/base/cache_line.h"
#include "transport/base/copy.h"
#include "transport/base/transport.h"

#include <atomic>
#include <cstdint>

namespace canopy::transport::direct {

#if defined(__SANITIZE_THREAD__)
// TSan does not model fences: there every scalar store is a release, so that it sees the order that
// fence() makes.
inline constexpr std::memory_order kScalarStore = std::memory_order_release;
#else
// Relaxed: order comes from fence() and quiet(); readers poll with acquire loads.
inline constexpr std::memory_order kScalarStore = std::memory_order_relaxed;
#endif

template <class T>
inline constexpr bool kLockFree = sizeof(T) <= 8 && std::atomic_ref<T>::is_always_lock_free;

template <class T>
inline void store(T* to, T value) {
  if constexpr (kLockFree<T>) {
    std::atomic_ref<T>(*to).store(value, kScalarStore);
  } else {
    *to = value;
  }
}

template <class T>
inline T load(const T* from) {
  if constexpr (kLockFree<T>) {
    // Acquire, so that a value that announces data is followed by the data; pairs with the writer's
    // fence(). A plain load on x86.
    return std::atomic_ref<T>(const_cast<T&>(*from)).load(std::memory_order_acquire);
  } else {
    return *from;
  }
}

// Earlier stores of this thread are visible to every PE before later ones.
inline void fence() {
#if defined(__SANITIZE_THREAD__)
  compiler_barrier();
#else
  // Release: pairs with the acquire loads of wait, test and signal_fetch at the target.
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

// Earlier stores of this thread are visible to every PE before later loads.
inline void quiet() { store_load_fence(); }

uint64_t amo(std::byte* at, const Amo& operation);
void signal(std::byte* at, const Signal& update);

}  // namespace canopy::transport::direct
