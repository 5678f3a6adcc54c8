// Text in words of shared memory: written and read word by word, relaxed.
#pragma once

#include "runtime/base/printable.h"
#include "runtime/driver/device_area.h"

#include <cstring>
#include <string>
#include <string_view>

namespace canopy {

// What does not fit is cut, and ends in "~" then.
template <size_t Words>
void put_text(host_table::TextWords<Words>* to, std::string_view text) {
  constexpr size_t kBytes = host_table::TextWords<Words>::kBytes;
  char bytes[kBytes] = {};
  if (text.size() <= kBytes) {
    text.copy(bytes, text.size());
  } else {
    const size_t kept = whole_characters(text, kBytes - 1);
    text.copy(bytes, kept);
    bytes[kept] = '~';
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
  return printable({bytes, ::strnlen(bytes, kBytes)});
}

}  // namespace canopy
