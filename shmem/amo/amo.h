// Atomic memory operations over the peer table: CPU atomics on the target's word, seq_cst, so that
// all PEs see the blocking ones in one order. Complete at the target on return. Any thread; also
// kernels.
#pragma once

#include "shmem/rma/rma.h"

#include <atomic>
#include <utility>

namespace canopy::shmem {

// Applies `change` to the atomic of (dest, pe) and wakes the target.
template <class Side, class T, class Change>
inline auto amo(T* dest, int pe, const char* routine, Change&& change) {
  static_assert(std::atomic_ref<T>::is_always_lock_free,
                "a lock would not reach into other processes");
  const Remote to = translate_one(current_hot(), dest, pe, routine);
  std::atomic_ref<T> word(*reinterpret_cast<T*>(to.at));
  Side::count(Op::amo);
  if constexpr (std::is_void_v<decltype(change(word))>) {
    change(word);
    to.ring();
  } else {
    const T old = change(word);
    to.ring();
    return old;
  }
}

inline constexpr auto kAmoOrder = std::memory_order_seq_cst;

template <class Side, class T>
inline T amo_fetch(const T* source, int pe, const char* routine) {
  const Remote from = translate_one(current_hot(), source, pe, routine);
  Side::count(Op::amo);
  return std::atomic_ref<T>(*reinterpret_cast<T*>(from.at)).load(kAmoOrder);
}

template <class Side, class T>
inline void amo_set(T* dest, T value, int pe, const char* routine) {
  amo<Side>(dest, pe, routine, [&](std::atomic_ref<T>& word) { word.store(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_swap(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.exchange(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_compare_swap(T* dest, T cond, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine, [&](std::atomic_ref<T>& word) {
    T expected = cond;
    word.compare_exchange_strong(expected, value, kAmoOrder);
    return expected;
  });
}

template <class Side, class T>
inline T amo_fetch_add(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_add(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_and(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_and(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_or(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_or(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_xor(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_xor(value, kAmoOrder); });
}

}  // namespace canopy::shmem
