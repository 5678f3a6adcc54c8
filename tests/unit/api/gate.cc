#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

namespace {

__global__ __aicore__ void hold_until_open(std::atomic<uint32_t>* open) {
  const canopy_awaited_word word = {open, 0, sizeof *open, CANOPY_WORD_NOT_EQUAL, 0};
  canopy_wait_for_word([](void* p) { return static_cast<int>(static_cast<std::atomic<uint32_t>*>(p)->load()); }, open,
                       "a test's gate", &word);
}
CANOPY_KERNEL(hold_until_open)

}  // namespace

namespace canopy::test {

aclError Gate::close(aclrtStream stream) { return launch(hold_until_open, 1, stream, &open_); }

}  // namespace canopy::test
