// Physical memory at addresses: mapping, unmapping, and who may touch it.
//
// All code of a process uses one set of pages. They allow what any device, or the host, was granted; copies go by
// the devices at their two ends. A kernel that stores into what nobody may write fails its task.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"

#include <cstdint>
#include <span>
#include <string>

namespace canopy {

class Runtime;

// All of the handle's memory to `at`, inside of reserved addresses. With `granted`, the memory's device and, of an
// import, the one that it was made for, may touch it at once; else nobody may. Errors: stale_handle; invalid_argument:
// another size, not reserved, mapped already; misaligned; not_supported.
Result<> map_memory(Runtime& runtime, void* at, uint64_t bytes, void* handle, bool granted);
// The memory that is mapped at `src`, once more.
Result<> map_again(Runtime& runtime, void* dst, uint64_t bytes, void* src);
Result<> unmap_memory(Runtime& runtime, void* at);

// Of [at, +bytes) as it was mapped; all or nothing. Errors: invalid_argument: not as it was mapped; bad_device;
// not_supported: a link refuses it.
Result<> set_access(Runtime& runtime, void* at, uint64_t bytes, std::span<const Grant> grants);
Result<Access> get_access(Runtime& runtime, const void* address, int device);

// Why a kernel could not touch `address`, if it is one of these: "" or "a range that ...".
std::string text_of_address(uintptr_t address);

}  // namespace canopy
