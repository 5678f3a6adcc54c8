// How much of a last-level cache this machine has. Copies that are larger go past it.
#pragma once

#include <cstddef>

namespace canopy {

// Bytes of the cache that the first processor shares; 32 MiB where nobody tells. The system's word comes before the
// processor's own (sysconf): that is what the whole chip has, of which a virtual machine sees a part.
size_t last_level_cache_bytes();

}  // namespace canopy
