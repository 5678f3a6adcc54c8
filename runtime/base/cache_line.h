// Cache-line size and the accessors that own memory ordering between two agents.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace canopy {

// Fixed rather than std::hardware_destructive_interference_size: layouts shared between processes
// must not depend on compiler flags.
inline constexpr size_t kCacheLine = 64;

// Publishes everything written before; pairs with load_acquire by the reader.
template <class T>
inline void store_release(T* word, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*word).store(value, std::memory_order_release);
}

// Sees everything the writer stored before its store_release.
template <class T>
inline T load_acquire(const T* word) {
  return std::atomic_ref<T>(const_cast<T&>(*word)).load(std::memory_order_acquire);
}

// One untorn read or write that orders nothing: for words whose value is only a hint.
template <class T>
inline T load_relaxed(const T* word) {
  return std::atomic_ref<T>(const_cast<T&>(*word)).load(std::memory_order_relaxed);
}
template <class T>
inline void store_relaxed(T* word, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*word).store(value, std::memory_order_relaxed);
}

// Stops the compiler, not the CPU, from moving memory accesses across it.
inline void compiler_barrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// StoreLoad: later loads wait until earlier stores are visible. On x86 a locked instruction on the
// stack (about 2 ns when the store buffer is empty; mfence costs about 16 ns, 2026-11, Zen 4).
inline void store_load_fence() {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  int dummy = 0;
  __asm__ __volatile__("lock; orl $0,%0" : "+m"(dummy) : : "memory", "cc");
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// Asks the cache for a line that is to be written. (The compiler's own prefetch asks for a copy to read, unless it may
// count on more than the oldest x86-64.)
inline void prefetch_for_write(const void* address) {
#if defined(__x86_64__)
  __asm__ __volatile__("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace canopy
