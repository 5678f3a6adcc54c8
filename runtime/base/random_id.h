// 64 and 128 unpredictable bits from the kernel, for names that must not be guessed.
#pragma once

#include <cstdint>
#include <string>

namespace canopy {
uint64_t random_id();
std::string random_hex128();  // 32 hexadecimal digits
}  // namespace canopy
