// What random programs can ask of this build and machine.
#pragma once

#include "runtime/base/env.h"

#include <cstdint>

namespace canopy::test {

// How long they wait for a stream before they call it a hang. CANOPY_TEST_PATIENCE_MS shortens it
// for runs that are meant to hang.
inline int32_t patience_ms() {
  static const auto patience =
      static_cast<int32_t>(env::integer("CANOPY_TEST_PATIENCE_MS").value_or(30'000));
  return patience;
}

}  // namespace canopy::test
