// Atomic memory operations over the peer table: CPU atomics on the target's word, seq_cst, so that
// all PEs see the blocking ones in one order. Where loads and stores do not reach, the same CPU
// atomics by the target's hand (far_amo). Complete at the target on return. Any thread; also
// kernels.
#pragma once

#include "shmem/rma/rma.h"

#include <atomic>
#include <type_traits>

namespace canopy::shmem {

using transport::AmoOp;

inline constexpr auto kAmoOrder = std::memory_order_seq_cst;

// What an operation is for a transport.
template <class T>
inline transport::Amo amo_of(AmoOp op, T value, T compare = T{}) {
  const bool real_add = std::is_floating_point_v<T> && op == AmoOp::add;
  return {real_add ? AmoOp::add_real : op, sizeof(T), to_bits(value), to_bits(compare)};
}

// The cold side, by value: the hot one keeps its operands in registers.
template <class T>
[[gnu::cold, gnu::noinline]] T amo_far(T* dest, AmoOp op, T value, T compare, int pe,
                                       const char* routine) {
  return from_bits<T>(far_amo(dest, amo_of(op, value, compare), pe, routine));
}

// Applies `change` to the atomic of (dest, pe) and wakes the target; `op` with its operands is the
// same for a transport.
template <class Side, class T, class Change>
inline T amo(T* dest, AmoOp op, T value, T compare, int pe, const char* routine, Change&& change) {
  static_assert(std::atomic_ref<T>::is_always_lock_free,
                "a lock would not reach into other processes");
  T old;
  if (const Remote to = translate_one(current_hot(), dest, pe); to.direct) [[likely]] {
    std::atomic_ref<T> word(*reinterpret_cast<T*>(to.at));
    old = change(word);
    to.ring();
  } else {
    old = amo_far(dest, op, value, compare, pe, routine);
  }
  Side::count(Op::amo);
  return old;
}

template <class Side, class T>
inline T amo_fetch(const T* source, int pe, const char* routine) {
  if (const Remote from = translate_one(current_hot(), source, pe); from.direct) [[likely]] {
    Side::count(Op::amo);
    return std::atomic_ref<T>(*reinterpret_cast<T*>(from.at)).load(kAmoOrder);
  }
  Side::count(Op::amo);
  return amo_far(const_cast<T*>(source), AmoOp::fetch, T{}, T{}, pe, routine);
}

template <class Side, class T>
inline void amo_set(T* dest, T value, int pe, const char* routine) {
  amo<Side>(dest, AmoOp::set, value, T{}, pe, routine, [&](std::atomic_ref<T>& word) {
    word.store(value, kAmoOrder);
    return T{};
  });
}

template <class Side, class T>
inline T amo_swap(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::swap, value, T{}, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.exchange(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_compare_swap(T* dest, T cond, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::compare_swap, value, cond, pe, routine,
                   [&](std::atomic_ref<T>& word) {
                     T expected = cond;
                     word.compare_exchange_strong(expected, value, kAmoOrder);
                     return expected;
                   });
}

template <class Side, class T>
inline T amo_fetch_add(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::add, value, T{}, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_add(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_and(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::bit_and, value, T{}, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_and(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_or(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::bit_or, value, T{}, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_or(value, kAmoOrder); });
}

template <class Side, class T>
inline T amo_fetch_xor(T* dest, T value, int pe, const char* routine) {
  return amo<Side>(dest, AmoOp::bit_xor, value, T{}, pe, routine,
                   [&](std::atomic_ref<T>& word) { return word.fetch_xor(value, kAmoOrder); });
}

}  // namespace canopy::shmem
