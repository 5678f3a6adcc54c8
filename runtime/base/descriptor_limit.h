// Each large allocation, and each handle of another process's memory, has a descriptor, and many sessions start with a soft
// limit of 1,024 of them (RLIMIT_NOFILE) and a hard one far above. The soft one is raised when descriptors have run out and
// not before: a program that still uses select() or closes all descriptors by their numbers need not know of us until it has
// over a thousand.
#pragma once

namespace canopy {

// Raises the soft limit to the hard one. False: it is there already.
bool raise_descriptor_limit();
// Whether this process can have no further descriptor.
bool descriptors_have_run_out();

}  // namespace canopy
