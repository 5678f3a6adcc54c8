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
                                       const char* routine, const Hot& hot) {
  return from_bits<T>(far_amo(dest, amo_of(op, value, compare), pe, routine, hot));
}
template <class T>
[[gnu::cold, gnu::noinline]] void amo_far_nbi(T* fetch, T* dest, AmoOp op, T value, T compare,
                                              int pe, const char* routine, const Hot& hot) {
  far_amo_nbi(fetch, dest, amo_of(op, value, compare), pe, routine, hot);
}

// What each operation is for the CPU.
template <AmoOp kOp, class T>
inline T change_word(std::atomic_ref<T>& word, T value, T compare) {
  if constexpr (kOp == AmoOp::fetch) {
    return word.load(kAmoOrder);
  } else if constexpr (kOp == AmoOp::set) {
    word.store(value, kAmoOrder);
    return T{};
  } else if constexpr (kOp == AmoOp::swap) {
    return word.exchange(value, kAmoOrder);
  } else if constexpr (kOp == AmoOp::compare_swap) {
    word.compare_exchange_strong(compare, value, kAmoOrder);
    return compare;
  } else if constexpr (kOp == AmoOp::add) {
    return word.fetch_add(value, kAmoOrder);
  } else if constexpr (kOp == AmoOp::bit_and) {
    return word.fetch_and(value, kAmoOrder);
  } else if constexpr (kOp == AmoOp::bit_or) {
    return word.fetch_or(value, kAmoOrder);
  } else {
    static_assert(kOp == AmoOp::bit_xor);
    return word.fetch_xor(value, kAmoOrder);
  }
}

template <AmoOp kOp, class T>
inline T change_word_at(const Remote& to, T value, T compare) {
  static_assert(std::atomic_ref<T>::is_always_lock_free,
                "a lock would not reach into other processes");
  std::atomic_ref<T> word(*reinterpret_cast<T*>(to.at));
  const T old = change_word<kOp>(word, value, compare);
  if constexpr (kOp != AmoOp::fetch) {
    to.ring();
  }
  return old;
}

// Returns the old value.
template <class Side, AmoOp kOp, class T>
inline T amo(const Hot& hot, T* dest, T value, T compare, int pe, const char* routine) {
  T old;
  if (const Remote to = translate_one(hot, dest, pe); to.direct) [[likely]] {
    old = change_word_at<kOp>(to, value, compare);
  } else {
    old = amo_far(dest, kOp, value, compare, pe, routine, hot);
  }
  Side::count(Op::amo);
  return old;
}

// Without the old value: and, or and xor are one instruction then, and a loop of compare-and-swap otherwise.
template <class Side, AmoOp kOp, class T>
inline void amo_unfetched(const Hot& hot, T* dest, T value, int pe, const char* routine) {
  if (const Remote to = translate_one(hot, dest, pe); to.direct) [[likely]] {
    change_word_at<kOp>(to, value, T{});
  } else {
    amo_far(dest, kOp, value, T{}, pe, routine, hot);
  }
  Side::count(Op::amo);
}

// The old value is in *fetch at quiet.
template <class Side, AmoOp kOp, class T>
inline void amo_nbi(const Hot& hot, T* fetch, T* dest, T value, T compare, int pe,
                    const char* routine) {
  if (const Remote to = translate_one(hot, dest, pe); to.direct) [[likely]] {
    *fetch = change_word_at<kOp>(to, value, compare);
  } else {
    amo_far_nbi(fetch, dest, kOp, value, compare, pe, routine, hot);
  }
  Side::count(Op::amo);
}

// On the default context.
template <class Side, class T>
inline T amo_fetch(const T* source, int pe, const char* routine) {
  return amo<Side, AmoOp::fetch>(current_hot(), const_cast<T*>(source), T{}, T{}, pe, routine);
}
template <class Side, class T>
inline void amo_set(T* dest, T value, int pe, const char* routine) {
  amo<Side, AmoOp::set>(current_hot(), dest, value, T{}, pe, routine);
}
template <class Side, class T>
inline T amo_swap(T* dest, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::swap>(current_hot(), dest, value, T{}, pe, routine);
}
template <class Side, class T>
inline T amo_compare_swap(T* dest, T cond, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::compare_swap>(current_hot(), dest, value, cond, pe, routine);
}
template <class Side, class T>
inline T amo_fetch_add(T* dest, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::add>(current_hot(), dest, value, T{}, pe, routine);
}
template <class Side, class T>
inline T amo_fetch_and(T* dest, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::bit_and>(current_hot(), dest, value, T{}, pe, routine);
}
template <class Side, class T>
inline T amo_fetch_or(T* dest, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::bit_or>(current_hot(), dest, value, T{}, pe, routine);
}
template <class Side, class T>
inline T amo_fetch_xor(T* dest, T value, int pe, const char* routine) {
  return amo<Side, AmoOp::bit_xor>(current_hot(), dest, value, T{}, pe, routine);
}

}  // namespace canopy::shmem
