// The two 16-bit floating point formats: conversion to float is exact, from float rounds to the
// nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace canopy {

//  fp16: [ sign ][ exponent: 5 bits, bias 15 ][ fraction: 10 bits ]
inline float float_of_fp16(uint16_t value) {
  const uint32_t sign = uint32_t{value & 0x8000u} << 16;
  const uint32_t exponent = value >> 10 & 0x1F;
  const uint32_t fraction = value & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t widened = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

inline uint16_t fp16_of_float(float value) {
  constexpr uint32_t kInfinity = 0x7F800000;
  constexpr uint32_t kTooLarge = 0x477FF000;  // 65520: halfway from the largest fp16 to the next
  constexpr uint32_t kSmallestNormal = 0x38800000;  // 2^-14
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > kInfinity) {
    return sign | 0x7E00;  // a quiet NaN
  }
  if (magnitude >= kTooLarge) {
    return sign | 0x7C00;
  }
  if (magnitude < kSmallestNormal) {
    // In [0.5, 1) floats are 2^-24 apart, as subnormal fp16 are: the addition rounds.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3F000000);
  }
  magnitude += 0xFFF + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((magnitude >> 13) - ((127 - 15) << 10));
}

//  bf16: the upper half of a float
inline float float_of_bf16(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

inline uint16_t bf16_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    return static_cast<uint16_t>(bits >> 16 | 0x40);  // stays a NaN
  }
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace canopy
