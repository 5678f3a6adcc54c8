#include "tests/unit/api/report_threads.h"

#include "canopy/kernel.h"

namespace {

__global__ __aicore__ void append_kernel(std::vector<int>* log, int value) { log->push_back(value); }
CANOPY_KERNEL(append_kernel)

}  // namespace

namespace canopy::test {

aclError append(aclrtStream stream, std::vector<int>* log, int value) {
  return launch(append_kernel, 1, stream, log, value);
}

}  // namespace canopy::test
