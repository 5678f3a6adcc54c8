// Text of others - names of programs, say - for terminals and JSON. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace canopy {

// The text in UTF-8: '?' stands for each control character, also of a text's direction, and for each byte that is part of no character.
std::string printable(std::string_view text);

// How many of its first `most` bytes are whole characters, where it is UTF-8.
size_t whole_characters(std::string_view text, size_t most);

}  // namespace canopy
