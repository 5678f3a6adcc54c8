// What random programs can ask of this build and machine.
#pragma once

#include "runtime/base/env.h"

#include <cstdint>

namespace canopy::test {

// ThreadSanitizer holds back the signals that end a failed kernel's blocks, until a place where
// they find another block.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kKernelsMayFail = false;
#else
inline constexpr bool kKernelsMayFail = true;
#endif

// How long they wait for a stream before they call it a hang. CANOPY_TEST_PATIENCE_MS shortens it
// for runs that are meant to hang.
inline int32_t patience_ms() {
  static const auto patience =
      static_cast<int32_t>(env::integer("CANOPY_TEST_PATIENCE_MS").value_or(30'000));
  return patience;
}

}  // namespace canopy::test
