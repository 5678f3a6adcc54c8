#include "runtime/base/check.h"

#include "runtime/base/log.h"

#include <cstdlib>

namespace canopy {

void check_failed(const char* condition, const char* advice, const char* file, int line) {
  report(fmt::format("{}:{}: '{}' does not hold: {}", file, line, condition, advice));
  std::abort();
}

}  // namespace canopy
