// A word of memory that may be freed while a task looks at it: loads and stores that say so instead of ending the
// process. The fault handler leads a thread out of them (guarded_access_exit()).
#pragma once

#include <cstdint>

namespace canopy {

// false: the word could not be read. Acquire, as load_acquire().
bool load_if_there(const uint64_t* address, uint64_t* value);
// false: the word could not be written. Release, as store_release().
bool store_if_there(uint64_t* address, uint64_t value);

// Where a thread goes on whose load or store of these has faulted at `pc`; 0: it is none of them. For handlers.
uintptr_t guarded_access_exit(uintptr_t pc);

}  // namespace canopy
