#include "runtime/base/random_id.h"

#include "runtime/base/check.h"

#include <sys/random.h>

#include <fmt/format.h>

namespace canopy {

uint64_t random_id() {
  uint64_t value = 0;
  CHECK(::getrandom(&value, sizeof value, 0) == sizeof value, "getrandom must work");
  return value;
}

std::string random_hex128() { return fmt::format("{:016x}{:016x}", random_id(), random_id()); }

}  // namespace canopy
