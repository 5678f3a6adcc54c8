// The cold side of RMA, atomics and order: operations whose target loads and stores do not reach,
// and those that are wrong. Called when the one compare of the hot path (world/hot.h) has failed.
//
// Each ends the job with a sentence when the target is none, or when its PE is lost. Completion on
// return is as on the hot path; nbi forms complete at quiet. Any thread; in kernels the operation
// goes through the core's request ring (device/kernel_requests.h).
#pragma once

#include "shmem/world/hot.h"
#include "transport/base/transport.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace canopy::shmem {

enum class Completion : uint8_t { blocking, nbi };
enum class SignalChange : uint8_t { set, add };

// Arguments come in the order of the public routines', and what is the same for all calls from one
// place last: so the hot path has nothing to move before it has failed. The Hot names the context,
// and so what the number of the PE means.
[[gnu::cold, gnu::noinline]] void far_put(void* dest, const void* source, size_t nelems, int pe,
                                          const char* routine, size_t element_bytes,
                                          Completion completion, const Hot& hot);
[[gnu::cold, gnu::noinline]] void far_get(void* dest, const void* source, size_t nelems, int pe,
                                          const char* routine, size_t element_bytes,
                                          Completion completion, const Hot& hot);
// A word of 4 or 8 bytes; visible only after this thread's earlier puts to the same PE.
[[gnu::cold, gnu::noinline]] void far_signal(void* word, uint64_t value, SignalChange change,
                                             int pe, const char* routine, uint8_t width,
                                             const Hot& hot);
// Put-with-signal of which at least one target is not within reach: both are looked at here.
struct FarPutSignal {
  size_t element_bytes;
  Completion completion;
  uint8_t width;  // of the signal
};
[[gnu::cold, gnu::noinline]] void far_put_signal(void* dest, const void* source, size_t nelems,
                                                 void* word, uint64_t value, SignalChange change,
                                                 int pe, const char* routine, FarPutSignal kind,
                                                 const Hot& hot);
// The old value, as bits. amo.width may also be 1 or 2, with AmoOp::add.
[[gnu::cold, gnu::noinline]] uint64_t far_amo(void* word, const transport::Amo& amo, int pe,
                                              const char* routine, const Hot& hot);
// The old value, of 4 or 8 bytes, is in *fetch after a quiet.
[[gnu::cold, gnu::noinline]] void far_amo_nbi(void* fetch, void* word, const transport::Amo& amo,
                                              int pe, const char* routine, const Hot& hot);
// Blocks of elements at strides, in bytes.
struct StridedBlocks {
  size_t block_bytes;
  size_t to_step, from_step;  // between the starts of blocks
  size_t n_blocks;
};
[[gnu::cold, gnu::noinline]] void far_put_strided(void* dest, const void* source,
                                                  const StridedBlocks& blocks, int pe,
                                                  const char* routine, const Hot& hot);
[[gnu::cold, gnu::noinline]] void far_get_strided(void* dest, const void* source,
                                                  const StridedBlocks& blocks, int pe,
                                                  const char* routine, const Hot& hot);

// What the context has under way; nothing where every PE is within reach.
[[gnu::cold, gnu::noinline]] void far_fence(const Hot& hot, const char* routine);
[[gnu::cold, gnu::noinline]] void far_quiet(const Hot& hot, const char* routine);
// The same towards these PEs of the context only.
[[gnu::cold, gnu::noinline]] void far_quiet_pes(const Hot& hot, std::span<const int> pes,
                                                const char* routine);
// One look at what is under way, from a test that has failed.
[[gnu::cold, gnu::noinline]] void far_poll();

// For the library's own words on control pages of other groups' leaders.
void far_signal_at(World& world, const transport::Target& at, uint64_t value, SignalChange change,
                   const char* routine);
void far_get_from(World& world, void* dest, const transport::Target& from, uint64_t nbytes,
                  const char* routine);

// Values as the bits that transports carry: narrow ones in the low bytes.
template <class T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8);
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else {
    return static_cast<uint64_t>(static_cast<std::make_unsigned_t<T>>(value));
  }
}
template <class T>
T from_bits(uint64_t bits) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else {
    return static_cast<T>(bits);
  }
}

// Scalars by value, so that the hot path need not keep them in memory.
template <class T>
[[gnu::cold, gnu::noinline]] void far_p(T* dest, T value, int pe, const char* routine,
                                        const Hot& hot) {
  far_put(dest, &value, 1, pe, routine, sizeof(T), Completion::blocking, hot);
}
template <class T>
[[gnu::cold, gnu::noinline]] T far_g(const T* source, int pe, const char* routine, const Hot& hot) {
  T value;
  far_get(&value, source, 1, pe, routine, sizeof(T), Completion::blocking, hot);
  return value;
}

}  // namespace canopy::shmem
