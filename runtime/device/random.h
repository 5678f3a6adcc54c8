// The random number unit: fills memory with numbers of a distribution, drawn from philox.h.
//
// Deterministic: element i depends on the seed, the counter and i alone. What one element takes:
//   dropout mask      a quarter of a block of four words per bit
//   uniform floats    one word; integers: a block, so that every value of the range is as likely as
//   the others,
//                     to 1 in 2^64
//   normal            half of a pair by Box and Muller, of two words
//   truncated normal  the first of a block's four normal numbers that is within two standard
//   deviations; when none
//                     is, of the block whose counter has its top word one larger, and so on
// Not modified: the counter. Who draws again gives a counter that is larger by random_blocks().
#pragma once

#include "runtime/device/philox.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace canopy {

enum class RandomType : uint8_t { int32, int64, uint32, uint64, fp16, bf16, fp32 };
enum class RandomKind : uint8_t { dropout_mask, uniform, normal, truncated_normal };

// Bit patterns of the type, in the low bytes.
struct RandomParameters {
  uint64_t first = 0;   // ratio of zeros; lowest value; mean
  uint64_t second = 0;  // -; end of the range, which is never drawn; standard deviation
};

struct RandomDraw {
  RandomKind kind = RandomKind::uniform;
  RandomType type = RandomType::fp32;
  RandomParameters parameters;
  uint64_t seed = 0;
  PhiloxCounter counter;
};

size_t element_bytes(RandomType type);
bool is_float(RandomType type);
// Bytes of `count` elements; of a mask: 8 elements per byte.
uint64_t random_bytes(const RandomDraw& draw, uint64_t count);
// Blocks of the sequence that `count` elements take.
uint64_t random_blocks(const RandomDraw& draw, uint64_t count);
// "" or why these parameters can be drawn from by nobody.
std::string refuse_parameters(const RandomDraw& draw);
// REQUIRES: refuse_parameters() has nothing to say; `out` has random_bytes().
void fill_random(const RandomDraw& draw, void* out, uint64_t count);

}  // namespace canopy
