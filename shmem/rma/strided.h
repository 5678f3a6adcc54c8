// Strided put and get: blocks of elements at distances, on both sides. iput and iget are blocks of
// one.
//
// Completion on return is as for put and get. Blocks within reach are copied one by one; where both
// sides are dense, as one.
#pragma once

#include "shmem/rma/rma.h"

#include <cstddef>
#include <cstring>

namespace canopy::shmem {

// Strides in elements, between the starts of blocks.
struct Strides {
  ptrdiff_t to, from;
  size_t block, n_blocks;
};

// Ends the job: blocks would overlap.
[[noreturn, gnu::cold]] void bad_strides(const Hot& hot, const Strides& strides,
                                         const char* routine);

template <size_t kElementBytes>
inline void copy_blocks(std::byte* to, const std::byte* from, const Strides& strides) {
  const size_t to_step = static_cast<size_t>(strides.to) * kElementBytes;
  const size_t from_step = static_cast<size_t>(strides.from) * kElementBytes;
  // By index: with one block the strides may be anything, and must not be added.
  if (strides.block == 1) {
    for (size_t i = 0; i < strides.n_blocks; ++i) {
      // One move: single-copy atomic up to 8 aligned bytes.
      std::memcpy(to + i * to_step, from + i * from_step, kElementBytes);
    }
    return;
  }
  for (size_t i = 0; i < strides.n_blocks; ++i) {
    transport::copy_bytes(to + i * to_step, from + i * from_step, strides.block * kElementBytes);
  }
}

template <size_t kElementBytes>
inline StridedBlocks in_bytes(const Strides& strides) {
  StridedBlocks blocks{};
  blocks.n_blocks = strides.n_blocks;
  // What does not fit into a number is more than any heap has: let it stay as large.
  if (__builtin_mul_overflow(strides.block, kElementBytes, &blocks.block_bytes) ||
      __builtin_mul_overflow(static_cast<size_t>(strides.to), kElementBytes, &blocks.to_step) ||
      __builtin_mul_overflow(static_cast<size_t>(strides.from), kElementBytes, &blocks.from_step)) {
    blocks.block_bytes = ~size_t{0};
  }
  return blocks;
}

// Elements from the first to the last of the side with this stride; saturated.
inline size_t strided_extent(const Strides& strides, ptrdiff_t stride) {
  size_t elements = 0;
  if (__builtin_mul_overflow(strides.n_blocks - 1, static_cast<size_t>(stride), &elements) ||
      __builtin_add_overflow(elements, strides.block, &elements)) {
    return ~size_t{0};
  }
  return elements;
}

enum class Direction : uint8_t { put, get };

template <class Side, size_t kElementBytes, Direction kDirection>
inline void strided(const Hot& hot, void* dest, const void* source, const Strides& strides, int pe,
                    const char* routine) {
  constexpr bool kPut = kDirection == Direction::put;
  Side::count(kPut ? Op::put : Op::get);
  const bool some = strides.n_blocks != 0 && strides.block != 0;
  // Strides of less than a block: blocks would overlap. With one block they do not matter.
  if (some && strides.n_blocks > 1) {
    const auto block = static_cast<ptrdiff_t>(strides.block);
    if (strides.to < block || strides.from < block) [[unlikely]] {
      bad_strides(hot, strides, routine);
    }
  }
  const void* symmetric = kPut ? dest : source;
  const size_t extent = some ? strided_extent(strides, kPut ? strides.to : strides.from) : 0;
  const Remote remote = translate<kElementBytes>(hot, symmetric, extent, pe);
  if (!remote.direct) [[unlikely]] {
    const StridedBlocks blocks = in_bytes<kElementBytes>(strides);
    if (kPut) {
      far_put_strided(dest, source, blocks, pe, routine, hot);
    } else {
      far_get_strided(dest, source, blocks, pe, routine, hot);
    }
    return;
  }
  if (!some) {
    return;
  }
  std::byte* to = kPut ? remote.at : static_cast<std::byte*>(dest);
  const std::byte* from = kPut ? static_cast<const std::byte*>(source) : remote.at;
  const auto block = static_cast<ptrdiff_t>(strides.block);
  if (strides.to == block && strides.from == block) {
    transport::copy_bytes(to, from, extent * kElementBytes);
  } else {
    copy_blocks<kElementBytes>(to, from, strides);
  }
  if (kPut) {
    remote.ring();
  }
}

}  // namespace canopy::shmem
