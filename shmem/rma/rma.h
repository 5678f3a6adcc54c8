// Put, get, p, g and put-with-signal over the peer table: the code behind every public name of
// them, host and kernel side. Templates, so that each public function is its own few instructions.
//
// Completion on return: put, p and put_signal - the data is stored (source reusable); get and g -
// done. To PEs within reach of loads and stores, blocking and nbi forms are the same code:
// completing early is allowed. Others: far_ops.h. Order and visibility: shmem/README.md,
// "Ordering". Any thread; also blocks of kernels.
//
// The Hot says on which context (context/context_slots.h), and so what the numbers of PEs mean;
// without one it is the default context.
#pragma once

#include "shmem/rma/far_ops.h"
#include "shmem/world/hot.h"
#include "shmem/world/op_counts.h"
#include "transport/base/direct_memory.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

// Who is counted as the issuer.
struct FromHost {
  static void count(Op op) { count_host(op); }
};
struct FromHere {
  static void count(Op op) { count_here(op); }
};
// The library's own operations are not the program's.
struct FromLibrary {
  static void count(Op) {}
};

template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking>
inline void put(const Hot& hot, void* dest, const void* source, size_t nelems, int pe,
                const char* routine) {
  if (const Remote to = translate<kElementBytes>(hot, dest, nelems, pe); to.direct) [[likely]] {
    transport::copy_bytes(to.at, source, nelems * kElementBytes);
    to.ring();
  } else {
    far_put(dest, source, nelems, pe, routine, kElementBytes, kCompletion, hot);
  }
  Side::count(Op::put);
}
template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking>
inline void put(void* dest, const void* source, size_t nelems, int pe, const char* routine) {
  put<Side, kElementBytes, kCompletion>(current_hot(), dest, source, nelems, pe, routine);
}

template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking>
inline void get(const Hot& hot, void* dest, const void* source, size_t nelems, int pe,
                const char* routine) {
  if (const Remote from = translate<kElementBytes>(hot, source, nelems, pe); from.direct)
      [[likely]] {
    transport::copy_bytes(dest, from.at, nelems * kElementBytes);
  } else {
    far_get(dest, source, nelems, pe, routine, kElementBytes, kCompletion, hot);
  }
  Side::count(Op::get);
}
template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking>
inline void get(void* dest, const void* source, size_t nelems, int pe, const char* routine) {
  get<Side, kElementBytes, kCompletion>(current_hot(), dest, source, nelems, pe, routine);
}

template <class Side, class T>
inline void p(const Hot& hot, T* dest, T value, int pe, const char* routine) {
  if (const Remote to = translate_one(hot, dest, pe); to.direct) [[likely]] {
    transport::direct::store(reinterpret_cast<T*>(to.at), value);
    to.ring();
  } else {
    far_p(dest, value, pe, routine, hot);
  }
  Side::count(Op::put);
}
template <class Side, class T>
inline void p(T* dest, T value, int pe, const char* routine) {
  p<Side>(current_hot(), dest, value, pe, routine);
}

template <class Side, class T>
inline T g(const Hot& hot, const T* source, int pe, const char* routine) {
  if (const Remote from = translate_one(hot, source, pe); from.direct) [[likely]] {
    Side::count(Op::get);
    return transport::direct::load(reinterpret_cast<const T*>(from.at));
  }
  Side::count(Op::get);
  return far_g(source, pe, routine, hot);
}
template <class Side, class T>
inline T g(const T* source, int pe, const char* routine) {
  return g<Side>(current_hot(), source, pe, routine);
}

template <class Word>
inline void change_signal(Word* at, Word signal, SignalChange change) {
  std::atomic_ref<Word> word(*at);
  // Release: the data stored before is there when the signal is; pairs with the acquire of the
  // waits.
  if (change == SignalChange::set) {
    word.store(signal, std::memory_order_release);
  } else {
    word.fetch_add(signal, std::memory_order_release);
  }
}

// Data, then the signal word. A signal is changed even when there are no elements.
template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking,
          class Word>
inline void put_signal(const Hot& hot, void* dest, const void* source, size_t nelems,
                       Word* sig_addr, Word signal, SignalChange change, int pe,
                       const char* routine) {
  const Remote to = translate<kElementBytes>(hot, dest, nelems, pe);
  const Remote word = translate_one(hot, sig_addr, pe);
  if (to.direct && word.direct) [[likely]] {
    transport::copy_bytes(to.at, source, nelems * kElementBytes);
    change_signal(reinterpret_cast<Word*>(word.at), signal, change);
    word.ring();
  } else {
    far_put_signal(dest, source, nelems, sig_addr, to_bits(signal), change, pe, routine,
                   {kElementBytes, kCompletion, sizeof(Word)}, hot);
  }
  Side::count(Op::put);
  Side::count(Op::signal);
}
template <class Side, size_t kElementBytes, Completion kCompletion = Completion::blocking,
          class Word>
inline void put_signal(void* dest, const void* source, size_t nelems, Word* sig_addr, Word signal,
                       SignalChange change, int pe, const char* routine) {
  put_signal<Side, kElementBytes, kCompletion>(current_hot(), dest, source, nelems, sig_addr,
                                               signal, change, pe, routine);
}

template <class Side, class Word>
inline void signal_op(const Hot& hot, Word* sig_addr, Word signal, SignalChange change, int pe,
                      const char* routine) {
  if (const Remote word = translate_one(hot, sig_addr, pe); word.direct) [[likely]] {
    change_signal(reinterpret_cast<Word*>(word.at), signal, change);
    word.ring();
  } else {
    far_signal(sig_addr, to_bits(signal), change, pe, routine, sizeof(Word), hot);
  }
  Side::count(Op::signal);
}
template <class Side, class Word>
inline void signal_op(Word* sig_addr, Word signal, SignalChange change, int pe,
                      const char* routine) {
  signal_op<Side>(current_hot(), sig_addr, signal, change, pe, routine);
}

// Earlier puts, amos and signals of this thread on the default context arrive at each PE before
// later ones. On memory that loads and stores reach, that is so for all contexts alike.
inline void fence(const char* routine) {
  transport::direct::fence();
  if (any_far()) [[unlikely]] {
    far_fence(current_hot(), routine);
  }
}
inline void fence(const Hot& hot, const char* routine) {
  transport::direct::fence();
  if (hot.far != nullptr) [[unlikely]] {
    far_fence(hot, routine);
  }
}

// Earlier operations of this thread on the context are complete, and visible to every PE before its
// later loads.
inline void quiet(const char* routine) {
  if (any_far()) [[unlikely]] {
    far_quiet(current_hot(), routine);
  }
  transport::direct::quiet();
}
inline void quiet(const Hot& hot, const char* routine) {
  if (hot.far != nullptr) [[unlikely]] {
    far_quiet(hot, routine);
  }
  transport::direct::quiet();
}

}  // namespace canopy::shmem
