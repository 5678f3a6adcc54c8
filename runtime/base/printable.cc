#include "runtime/base/printable.h"

#include <algorithm>
#include <cstdint>

namespace canopy {
namespace {

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }
bool continues(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Bytes of the character that begins the text; 0: none does (Unicode, table 3-7: no surrogates, no longer form than needed).
size_t character_bytes(std::string_view text) {
  const uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) {
    return 1;
  }
  const size_t bytes = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (bytes == 0 || text.size() < bytes) {
    return 0;
  }
  const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  const uint8_t second = byte_at(text, 1);
  const bool whole = second >= low && second <= high &&
                     std::all_of(text.begin() + 2, text.begin() + static_cast<ptrdiff_t>(bytes),
                                 [](char c) { return continues(static_cast<uint8_t>(c)); });
  return whole ? bytes : 0;
}

// U+0000 to U+001F, U+007F to U+009F, and what changes the direction of the text around it: U+061C, U+200E, U+200F, U+202A to
// U+202E, U+2066 to U+2069.
bool is_control(std::string_view character) {
  const uint8_t lead = byte_at(character, 0);
  if (lead == 0xe2) {
    const uint8_t second = byte_at(character, 1);
    const uint8_t third = byte_at(character, 2);
    return (second == 0x80 && (third == 0x8e || third == 0x8f || (third >= 0xaa && third <= 0xae))) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
  }
  return lead < ' ' || lead == 0x7f || (lead == 0xc2 && byte_at(character, 1) < 0xa0) ||
         (lead == 0xd8 && byte_at(character, 1) == 0x9c);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    const std::string_view character = text.substr(0, bytes);
    shown += bytes == 0 || is_control(character) ? "?" : character;
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return shown;
}

size_t whole_characters(std::string_view text, size_t most) {
  if (text.size() <= most) {
    return text.size();
  }
  // A character has at most three bytes behind its first.
  size_t end = most;
  while (end > 0 && most - end < 3 && continues(byte_at(text, end))) {
    --end;
  }
  return continues(byte_at(text, end)) ? most : end;
}

}  // namespace canopy
