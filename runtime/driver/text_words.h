// Text in words of shared memory: written and read word by word, relaxed.
#pragma once

#include "runtime/driver/device_area.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace canopy {

// What does not fit is cut, and ends in "~" then.
template <size_t Words>
void put_text(host_table::TextWords<Words>* to, std::string_view text) {
  constexpr size_t kBytes = host_table::TextWords<Words>::kBytes;
  char bytes[kBytes] = {};
  text.copy(bytes, std::min(text.size(), kBytes));
  if (text.size() > kBytes) {
    bytes[kBytes - 1] = '~';
  }
  for (size_t i = 0; i < Words; ++i) {
    uint64_t word;
    std::memcpy(&word, bytes + i * 8, 8);
    store_relaxed(&to->words[i], word);
  }
}

template <size_t Words>
std::string get_text(const host_table::TextWords<Words>& from) {
  constexpr size_t kBytes = host_table::TextWords<Words>::kBytes;
  char bytes[kBytes];
  for (size_t i = 0; i < Words; ++i) {
    const uint64_t word = load_relaxed(&from.words[i]);
    std::memcpy(bytes + i * 8, &word, 8);
  }
  std::string text(bytes, ::strnlen(bytes, kBytes));
  // For terminals and JSON, whatever somebody has put there.
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace canopy
