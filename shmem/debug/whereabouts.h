// How sentences that refuse memory name it: where it lies, and how much it is.
#pragma once

#include <cstddef>
#include <string>

namespace canopy::shmem {

// "the stack", "memory from malloc", "libfoo.so's data", "no memory at all"... as the kernel's list of
// mappings has it.
std::string segment_of(const void* address);

// "4 elements of 8 bytes", "12 bytes".
std::string extent_text(size_t nelems, size_t element_bytes);

}  // namespace canopy::shmem
