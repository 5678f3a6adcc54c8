// The text of SVG pictures. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace canopy::cli {

// `text` with the characters that XML means otherwise replaced.
std::string svg_escaped(std::string_view text);
// `anchor` is "start", "middle" or "end".
std::string svg_text(double x, double y, int size, std::string_view anchor, std::string_view text);

}  // namespace canopy::cli
