// CallSite: where in the program's own code a routine was called, for sentences and the heap's book.
//
// Found by unwinding to the first frame outside Canopy's libraries, so that nobody on a hot path has
// to hand an address down. Costs microseconds: asked when something is wrong, and per allocation where
// somebody wants to know. Any thread.
#pragma once

#include <string>

namespace canopy::shmem {

struct CallSite {
  const void* pc = nullptr;  // of the call itself; null: nobody of the program's is on this stack

  // "prog+0x11d3", behind the function's name where the binary exports it ("main+0x1f, prog+0x11d3"):
  // `addr2line -f -e prog 0x11d3` tells file and line. "" without a pc.
  std::string text() const;
  // " (called from ...)", to end a sentence with; "" without a pc.
  std::string suffix() const;
};

CallSite call_site();

}  // namespace canopy::shmem
