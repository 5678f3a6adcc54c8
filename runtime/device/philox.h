// Philox4x32-10 (Salmon and others, 2011): four random words that are a function of a counter of
// 128 bits and a key of 64. No state: number n of a sequence costs what the first one does, and
// order does not matter.
#pragma once

#include <array>
#include <cstdint>

namespace canopy {

using PhiloxWords = std::array<uint32_t, 4>;

struct PhiloxCounter {
  uint64_t low = 0;
  uint64_t high = 0;

  PhiloxCounter plus(uint64_t n) const { return {low + n, high + (low + n < low ? 1 : 0)}; }
};

constexpr PhiloxWords philox(const PhiloxCounter& counter, uint64_t key) {
  constexpr uint64_t kMultiply0 = 0xD2511F53;
  constexpr uint64_t kMultiply2 = 0xCD9E8D57;
  PhiloxWords x = {static_cast<uint32_t>(counter.low), static_cast<uint32_t>(counter.low >> 32),
                   static_cast<uint32_t>(counter.high), static_cast<uint32_t>(counter.high >> 32)};
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiply0 * x[0];
    const uint64_t product2 = kMultiply2 * x[2];
    x = {static_cast<uint32_t>(product2 >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(product2),
         static_cast<uint32_t>(product0 >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9;  // the golden ratio
    key1 += 0xBB67AE85;  // the square root of 3
  }
  return x;
}

}  // namespace canopy
