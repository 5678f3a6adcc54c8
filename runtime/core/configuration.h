// Configuration: the JSON file of aclInit. A value, parsed once.
//
//   key                             meaning
//   defaultDevice.default_device    "N": the device of threads that set none
//   err_msg_mode                    "0": error sentences belong to their thread (default); "1": to
//                                   the process
//   StackSize.aicore_stack_size, StackSize.simt_stack_size, StackSize.simt_divergence_stack_size,
//   simt_printf_fifo_size, simd_printf_fifo_size_per_core
//                                   bytes: what aclrtDeviceSetLimit sets, rounded up as on a card
//   max_opqueue_num                 checked; there is no cache of operators whose size it would be
//
// Other keys are taken, as the interface asks; those that would switch on what is not built are
// named in the log.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/device_limits.h"

#include <array>
#include <cstddef>
#include <string>

namespace canopy {

struct Configuration {
  std::string text;         // as it was in the file
  int default_device = -1;  // -1: none
  bool errors_of_process = false;
  std::array<size_t, DeviceLimits::kCount> device_limits{};  // by aclrtDeviceLimit; 0: not given

  // Errc::io: cannot be read; Errc::parse: not a JSON object, nested too deep, a wrong value.
  static Result<Configuration> read(const char* path);
};

}  // namespace canopy
