// LoadedObject: where a shared object, or the program, lies in memory, and what its symbol table
// says of addresses in it.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace canopy {

struct LoadedObject {
  std::span<const std::byte> memory;  // from its first mapped byte to its last
  uint64_t bias = 0;                  // of addresses against those in the file
  std::string file;                   // leads to it while it is loaded
};

// The object that `address` lies in. Errc::not_found: in none.
Result<LoadedObject> find_loaded_object(const void* address);
// Bytes of the function that starts at `address`. Errc::not_supported when the object's file has no
// symbol for it (it was stripped).
Result<size_t> function_bytes(const void* address);

}  // namespace canopy
