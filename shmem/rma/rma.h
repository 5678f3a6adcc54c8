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
  const Hot& hot = current_hot();
  std::byte* to = translate<kElementBytes>(hot, dest, nelems, pe, routine);
  transport::copy_bytes(to, source, nelems * kElementBytes);
  ring(hot, pe);
  Side::count(Op::put);
}

template <class Side, size_t kElementBytes>
inline void get(void* dest, const void* source, size_t nelems, int pe, const char* routine) {
  const std::byte* from = translate<kElementBytes>(current_hot(), source, nelems, pe, routine);
  transport::copy_bytes(dest, from, nelems * kElementBytes);
  Side::count(Op::get);
}

template <class Side, class T>
inline void p(T* dest, T value, int pe, const char* routine) {
  const Hot& hot = current_hot();
  auto* to = reinterpret_cast<T*>(translate<sizeof(T)>(hot, dest, 1, pe, routine));
  transport::direct::store(to, value);
  ring(hot, pe);
  Side::count(Op::put);
}

template <class Side, class T>
inline T g(const T* source, int pe, const char* routine) {
  auto* from =
      reinterpret_cast<const T*>(translate<sizeof(T)>(current_hot(), source, 1, pe, routine));
  Side::count(Op::get);
  return transport::direct::load(from);
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
  std::byte* to = translate<kElementBytes>(hot, dest, nelems, pe, routine);
  auto* word = reinterpret_cast<Word*>(translate<sizeof(Word)>(hot, sig_addr, 1, pe, routine));
  transport::copy_bytes(to, source, nelems * kElementBytes);
  change_signal(word, signal, change);
  ring(hot, pe);
  Side::count(Op::put);
  Side::count(Op::signal);
}

template <class Side, class Word>
inline void signal_op(Word* sig_addr, Word signal, SignalChange change, int pe,
                      const char* routine) {
  const Hot& hot = current_hot();
  auto* word = reinterpret_cast<Word*>(translate<sizeof(Word)>(hot, sig_addr, 1, pe, routine));
  change_signal(word, signal, change);
  ring(hot, pe);
  Side::count(Op::signal);
}

}  // namespace canopy::shmem
