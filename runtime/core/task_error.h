// From what a failed task left in its stream to an error of the runtime.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/abi/fault_code.h"

#include <cstdint>
#include <string>

namespace canopy {

// Error::native holds the fault code, from which the C API makes its number. `sentence`: what the device
// said of it, "" when the code tells all.
inline tl::unexpected<Error> task_error(int32_t code, int device, int32_t stream, const std::string& sentence) {
  if (!sentence.empty()) {
    auto failure = fail(Errc::kernel_fault, "device {} stream {}: {}", device, stream, sentence);
    failure.value().native = code;
    return failure;
  }
  const char* what = fault_of(code) == DeviceFault::trap        ? "trapped"
                     : fault_of(code) == DeviceFault::exception ? "faulted"
                                                                : "ran past its time limit";
  const char* where = core_of(code) == CoreKind::vector  ? "a vector core"
                      : core_of(code) == CoreKind::aicpu ? "an AI CPU"
                                                         : "a cube core";
  auto failure =
      fail(Errc::kernel_fault, "device {} stream {}: a kernel on {} {}", device, stream, where, what);
  failure.value().native = code;
  return failure;
}

}  // namespace canopy
