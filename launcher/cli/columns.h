// Text in columns. A pure function.
#pragma once

#include <string>
#include <vector>

namespace canopy::cli {

enum class Cells { left, right };  // the first column stays on the left: it holds names

// Rows of cells as aligned columns, two blanks apart; rows may differ in length.
std::string aligned(const std::vector<std::vector<std::string>>& rows, Cells cells = Cells::left);

}  // namespace canopy::cli
