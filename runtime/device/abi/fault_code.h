// What a failed task leaves in its stream: the kind of fault and the kind of core.
#pragma once

#include "runtime/device/abi/kernel_image.h"

#include <cstdint>

namespace canopy {

enum class DeviceFault : uint8_t { trap = 1, exception = 2, timeout = 3, wait_timeout = 4, copy = 5, no_report_thread = 9, model_abort = 10, peer_lost = 11 };

constexpr int32_t fault_code(DeviceFault fault, CoreKind kind) {
  return static_cast<int32_t>(fault) << 8 | static_cast<int32_t>(kind);
}
constexpr DeviceFault fault_of(int32_t code) { return static_cast<DeviceFault>(code >> 8); }
constexpr CoreKind core_of(int32_t code) { return static_cast<CoreKind>(code & 0xFF); }
// A wait of a stream that ran past its limit; no core took part.
constexpr int32_t kWaitTimeout = static_cast<int32_t>(DeviceFault::wait_timeout) << 8;
// A function of the host had no thread to run on.
constexpr int32_t kNoReportThread = static_cast<int32_t>(DeviceFault::no_report_thread) << 8;
// A model's run was ended before its time.
constexpr int32_t kModelAborted = static_cast<int32_t>(DeviceFault::model_abort) << 8;
// What a stream waited for was another process's to do, and that process is gone.
constexpr int32_t kPeerLost = static_cast<int32_t>(DeviceFault::peer_lost) << 8;
// A copy engine found memory that is not there.
constexpr int32_t kCopyFault = static_cast<int32_t>(DeviceFault::copy) << 8;

}  // namespace canopy
