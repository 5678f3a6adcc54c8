#include "runtime/device/random.h"

#include "runtime/device/half.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <type_traits>

namespace canopy {
namespace {

// How an element of a floating type is stored.
struct Fp32 {
  using Stored = uint32_t;
  static float load(uint32_t stored) { return std::bit_cast<float>(stored); }
  static uint32_t store(float value) { return std::bit_cast<uint32_t>(value); }
};
struct Fp16 {
  using Stored = uint16_t;
  static float load(uint16_t stored) { return float_of_fp16(stored); }
  static uint16_t store(float value) { return fp16_of_float(value); }
};
struct Bf16 {
  using Stored = uint16_t;
  static float load(uint16_t stored) { return float_of_bf16(stored); }
  static uint16_t store(float value) { return bf16_of_float(value); }
};

float parameter_of(RandomType type, uint64_t bits) {
  switch (type) {
    case RandomType::fp16:
      return float_of_fp16(static_cast<uint16_t>(bits));
    case RandomType::bf16:
      return float_of_bf16(static_cast<uint16_t>(bits));
    default:
      return std::bit_cast<float>(static_cast<uint32_t>(bits));
  }
}

// As a signed number, whatever the width; of unsigned types only differences are used.
int64_t integer_of(RandomType type, uint64_t bits) {
  switch (type) {
    case RandomType::int32:
      return static_cast<int32_t>(bits);
    case RandomType::uint32:
      return static_cast<uint32_t>(bits);
    default:
      return static_cast<int64_t>(bits);
  }
}

bool below(RandomType type, uint64_t a, uint64_t b) {
  return type == RandomType::uint64 ? a < b : integer_of(type, a) < integer_of(type, b);
}

// The next smaller number of a format whose bits count up with the magnitude.
template <class Stored>
Stored step_down(Stored bits) {
  constexpr auto kSign = static_cast<Stored>(Stored{1} << (8 * sizeof(Stored) - 1));
  if ((bits & kSign) != 0) {
    return static_cast<Stored>(bits + 1);
  }
  return bits == 0 ? static_cast<Stored>(kSign | 1) : static_cast<Stored>(bits - 1);
}

// Calls each(i, words of its block) for all elements, `per_block` of which share a block.
template <class Each>
void for_blocks(const RandomDraw& draw, uint64_t count, uint64_t per_block, Each&& each) {
  for (uint64_t block = 0; block * per_block < count; ++block) {
    const PhiloxWords words = philox(draw.counter.plus(block), draw.seed);
    for (uint64_t i = 0; i < per_block && block * per_block + i < count; ++i) {
      each(block * per_block + i, words);
    }
  }
}

void fill_mask(const RandomDraw& draw, uint8_t* out, uint64_t count) {
  const double ratio = parameter_of(draw.type, draw.parameters.first);
  // Words below it are zeros: all of them at 1.
  const auto zeros = static_cast<uint64_t>(ratio * 0x1p32);
  std::memset(out, 0, (count + 7) / 8);
  for_blocks(draw, count, 4, [&](uint64_t i, const PhiloxWords& words) {
    if (words[i % 4] >= zeros) {
      out[i / 8] = static_cast<uint8_t>(out[i / 8] | 1 << (i % 8));
    }
  });
}

template <class Format>
void fill_uniform(const RandomDraw& draw, typename Format::Stored* out, uint64_t count) {
  const double low = parameter_of(draw.type, draw.parameters.first);
  const float end = parameter_of(draw.type, draw.parameters.second);
  for_blocks(draw, count, 4, [&](uint64_t i, const PhiloxWords& words) {
    const double value = low + (end - low) * (words[i % 4] * 0x1p-32);
    auto stored = Format::store(static_cast<float>(value));
    if (Format::load(stored) >= end) {  // rounded up to what is never drawn
      stored = step_down(Format::store(end));
    }
    out[i] = stored;
  });
}

template <class Integer>
void fill_integers(const RandomDraw& draw, Integer* out, uint64_t count) {
  const uint64_t low = draw.parameters.first;
  // Unsigned: from INT_MIN to INT_MAX is more than an Integer holds.
  const uint64_t span = static_cast<std::make_unsigned_t<Integer>>(draw.parameters.second - low);
  for_blocks(draw, count, 1, [&](uint64_t i, const PhiloxWords& words) {
    using Wide = unsigned __int128;
    const uint64_t lower = uint64_t{words[1]} << 32 | words[0];
    const uint64_t upper = uint64_t{words[3]} << 32 | words[2];
    const Wide scaled = Wide{upper} * span + static_cast<uint64_t>(Wide{lower} * span >> 64);
    out[i] = static_cast<Integer>(low + static_cast<uint64_t>(scaled >> 64));
  });
}

// Two independent normal numbers of two words; `which` of them. Box and Muller.
double normal_of(uint32_t a, uint32_t b, uint64_t which) {
  const double radius = std::sqrt(-2 * std::log((a + 1.0) * 0x1p-32));  // never of 0
  const double angle = 2 * std::numbers::pi * (b * 0x1p-32);
  return radius * (which == 0 ? std::cos(angle) : std::sin(angle));
}

double normal_of_block(const PhiloxWords& words, uint64_t i) {
  return normal_of(words[i & 2], words[(i & 2) + 1], i & 1);
}

double truncated_of(const RandomDraw& draw, uint64_t element, PhiloxWords words) {
  PhiloxCounter counter = draw.counter.plus(element);
  for (;;) {
    for (uint64_t i = 0; i < 4; ++i) {
      const double z = normal_of_block(words, i);
      if (z >= -2 && z <= 2) {
        return z;
      }
    }
    counter.high += uint64_t{1} << 32;
    words = philox(counter, draw.seed);
  }
}

template <class Format>
void fill_normal(const RandomDraw& draw, typename Format::Stored* out, uint64_t count) {
  const double mean = parameter_of(draw.type, draw.parameters.first);
  const double deviation = parameter_of(draw.type, draw.parameters.second);
  const bool truncated = draw.kind == RandomKind::truncated_normal;
  for_blocks(draw, count, truncated ? 1 : 4, [&](uint64_t i, const PhiloxWords& words) {
    const double z = truncated ? truncated_of(draw, i, words) : normal_of_block(words, i % 4);
    out[i] = Format::store(static_cast<float>(mean + deviation * z));
  });
}

template <class Format>
void fill_floats(const RandomDraw& draw, void* out, uint64_t count) {
  auto* stored = static_cast<typename Format::Stored*>(out);
  if (draw.kind == RandomKind::uniform) {
    fill_uniform<Format>(draw, stored, count);
  } else {
    fill_normal<Format>(draw, stored, count);
  }
}

}  // namespace

size_t element_bytes(RandomType type) {
  switch (type) {
    case RandomType::fp16:
    case RandomType::bf16:
      return 2;
    case RandomType::int64:
    case RandomType::uint64:
      return 8;
    default:
      return 4;
  }
}

bool is_float(RandomType type) {
  return type == RandomType::fp16 || type == RandomType::bf16 || type == RandomType::fp32;
}

uint64_t random_bytes(const RandomDraw& draw, uint64_t count) {
  return draw.kind == RandomKind::dropout_mask ? count / 8 + (count % 8 != 0)
                                               : count * element_bytes(draw.type);
}

uint64_t random_blocks(const RandomDraw& draw, uint64_t count) {
  const bool whole = draw.kind == RandomKind::truncated_normal || !is_float(draw.type);
  return whole ? count : count / 4 + (count % 4 != 0);
}

std::string refuse_parameters(const RandomDraw& draw) {
  const auto& [first, second] = draw.parameters;
  if (draw.kind == RandomKind::uniform && !is_float(draw.type)) {
    return below(draw.type, first, second)
               ? ""
               : "no integer is at least the minimum and below the maximum";
  }
  const float a = parameter_of(draw.type, first);
  const float b = parameter_of(draw.type, second);
  switch (draw.kind) {
    case RandomKind::dropout_mask:
      return a >= 0 && a <= 1 ? "" : fmt::format("a dropout ratio of {} is not between 0 and 1", a);
    case RandomKind::uniform:
      return a < b && std::isfinite(a) && std::isfinite(b)
                 ? ""
                 : fmt::format("no number is at least {} and below {}", a, b);
    default:
      return std::isfinite(a) && std::isfinite(b) && b >= 0
                 ? ""
                 : fmt::format("a mean of {} and a standard deviation of {}", a, b);
  }
}

void fill_random(const RandomDraw& draw, void* out, uint64_t count) {
  if (draw.kind == RandomKind::dropout_mask) {
    fill_mask(draw, static_cast<uint8_t*>(out), count);
    return;
  }
  switch (draw.type) {
    case RandomType::fp32:
      fill_floats<Fp32>(draw, out, count);
      break;
    case RandomType::fp16:
      fill_floats<Fp16>(draw, out, count);
      break;
    case RandomType::bf16:
      fill_floats<Bf16>(draw, out, count);
      break;
    case RandomType::int32:
      fill_integers(draw, static_cast<int32_t*>(out), count);
      break;
    case RandomType::uint32:
      fill_integers(draw, static_cast<uint32_t*>(out), count);
      break;
    case RandomType::int64:
      fill_integers(draw, static_cast<int64_t*>(out), count);
      break;
    case RandomType::uint64:
      fill_integers(draw, static_cast<uint64_t*>(out), count);
      break;
  }
}

}  // namespace canopy
