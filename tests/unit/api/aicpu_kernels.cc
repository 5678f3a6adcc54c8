// Functions for AI CPUs, loaded by aicpu_test.cc: as a described binary, and from memory.
#include "canopy/kernel.h"

#include <cstdint>

namespace {

struct Scale {
  uint64_t* out;
  uint64_t factor;
};

}  // namespace

extern "C" {

uint32_t RunScale(void* args) {
  const auto& scale = *static_cast<const Scale*>(args);
  scale.out[GetBlockIdx()] = (GetBlockIdx() + 1) * scale.factor;
  return 0;
}

uint32_t Refuse(void* args) { return *static_cast<const uint32_t*>(args); }

uint64_t aicpu_table[4] = {1, 2, 3, 4};
}
