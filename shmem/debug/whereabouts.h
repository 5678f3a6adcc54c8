// Where an address lies that should have been symmetric: for the sentence that refuses it.
#pragma once

#include <string>

namespace canopy::shmem {

// "the stack", "memory from malloc", "libfoo.so's data", "no memory at all"... as the kernel's list of
// mappings has it.
std::string segment_of(const void* address);

}  // namespace canopy::shmem
