// Words of device memory in stream order: write 64 bits, wait for 64 bits.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/abi/sqe.h"

#include <cstdint>

namespace canopy {

class Runtime;
class Stream;

// Both: Errc::misaligned, and Errc::invalid_argument where there is no device memory; no_permission
// for that of another device without peer access.
Result<> write_value(Runtime& runtime, void* address, uint64_t value, Stream& stream);
// Any agent may store the word; it is looked at again and again, without an executor of its own.
Result<> wait_for_value(Runtime& runtime, void* address, uint64_t value, ValueTest test,
                        Stream& stream);

}  // namespace canopy
