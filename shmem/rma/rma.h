// Put, get, p, g and put-with-signal over the peer table: the code behind every public name of
// them, host and kernel side. Templates, so that each public function is its own few instructions.
//
// Completion on return: put, p and put_signal - the data is stored (source reusable); get and g -
// done. Blocking and nbi forms are the same code: completing early is allowed. Order and
// visibility: shmem/README.md, "Ordering". Any thread; also blocks of kernels.
#pragma once

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

enum class SignalChange : uint8_t { set, add };

template <class Side, size_t kElementBytes>
inline void put(void* dest, const void* source, size_t nelems, int pe, const char* routine) {
  const Remote to = translate<kElementBytes>(current_hot(), dest, nelems, pe, routine);
  transport::copy_bytes(to.at, source, nelems * kElementBytes);
  to.ring();
  Side::count(Op::put);
}

template <class Side, size_t kElementBytes>
inline void get(void* dest, const void* source, size_t nelems, int pe, const char* routine) {
  const Remote from = translate<kElementBytes>(current_hot(), source, nelems, pe, routine);
  transport::copy_bytes(dest, from.at, nelems * kElementBytes);
  Side::count(Op::get);
}

template <class Side, class T>
inline void p(T* dest, T value, int pe, const char* routine) {
  const Remote to = translate_one(current_hot(), dest, pe, routine);
  transport::direct::store(reinterpret_cast<T*>(to.at), value);
  to.ring();
  Side::count(Op::put);
}

template <class Side, class T>
inline T g(const T* source, int pe, const char* routine) {
  const Remote from = translate_one(current_hot(), source, pe, routine);
  Side::count(Op::get);
  return transport::direct::load(reinterpret_cast<const T*>(from.at));
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
template <class Side, size_t kElementBytes, class Word>
inline void put_signal(void* dest, const void* source, size_t nelems, Word* sig_addr, Word signal,
                       SignalChange change, int pe, const char* routine) {
  const Hot& hot = current_hot();
  const Remote to = translate<kElementBytes>(hot, dest, nelems, pe, routine);
  const Remote word = translate_one(hot, sig_addr, pe, routine);
  transport::copy_bytes(to.at, source, nelems * kElementBytes);
  change_signal(reinterpret_cast<Word*>(word.at), signal, change);
  word.ring();
  Side::count(Op::put);
  Side::count(Op::signal);
}

template <class Side, class Word>
inline void signal_op(Word* sig_addr, Word signal, SignalChange change, int pe,
                      const char* routine) {
  const Remote word = translate_one(current_hot(), sig_addr, pe, routine);
  change_signal(reinterpret_cast<Word*>(word.at), signal, change);
  word.ring();
  Side::count(Op::signal);
}

}  // namespace canopy::shmem
