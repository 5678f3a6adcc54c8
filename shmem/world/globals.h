// Globals: the globals and statics of the executable as symmetric memory.
//
// Its writable segment behind RELRO (.data, .bss) moves onto a memfd before the program has any
// thread and before any constructor runs: shmemx_symmetric_globals(), which the object that oshcc
// links in (shmem/wrappers/globals.c) puts into .preinit_array. Addresses stay what they were, and
// so does every byte; only pages that are there are copied. At init the World publishes the memfd
// and maps those of its peers at the end of the host heaps (slot_area.h). RELRO, TLS and the data
// of shared libraries are not symmetric.
//
// A forked child must not write its parent's globals: a copy is made before the fork, and takes
// the segment's place in the child. vfork, posix_spawn, system and popen share or replace the
// address space and need nothing. clone() and _Fork() run no handlers: their children share.
//
// Written once, before main; read by any thread.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

struct Globals {
  uintptr_t base = 0;     // 0: the executable did not ask, or it did not work
  size_t bytes = 0;       // whole pages
  uint64_t identity = 0;  // of the executable: equal where the same offset is the same object
  int fd = -1;            // stays open: every World publishes it
  const char* failed = nullptr;  // the step that did not work, and its errno
  int error = 0;
};

// Those of this process. Without `base` and `failed` the executable was not linked by oshcc.
const Globals& process_globals();
// An error with a sentence when the move was asked for and failed.
Result<> check_globals();

}  // namespace canopy::shmem
