// Packing: numbers and texts as the bytes of a card, and back. Numbers take as many bytes as they
// need (7 bits each): cards travel to every PE of the job.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace canopy::shmem {

inline void pack_number(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

inline void pack_text(std::string& out, std::string_view text) {
  pack_number(out, text.size());
  out += text;
}

// Reads what the two above wrote; `ok` turns false at the first short field and stays so.
struct Unpacking {
  std::string_view left;
  bool ok = true;

  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !left.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left.front());
      left.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    ok = false;
    return 0;
  }
  std::string text() {
    const uint64_t size = number();
    if (!ok || left.size() < size) {
      ok = false;
      return "";
    }
    std::string value(left.substr(0, size));
    left.remove_prefix(size);
    return value;
  }
};

}  // namespace canopy::shmem
