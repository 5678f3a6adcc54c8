#include "runtime/base/last_level_cache.h"

#include <unistd.h>

#include <fstream>

namespace canopy {

size_t last_level_cache_bytes() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  size_t kib = 0;
  char unit = 0;
  if (file >> kib >> unit && unit == 'K' && kib != 0) {
    return kib << 10;
  }
  const long of_chip = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return of_chip > 0 ? static_cast<size_t>(of_chip) : size_t{32} << 20;
}

}  // namespace canopy
