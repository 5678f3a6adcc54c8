// KernelText: where the code of kernels lies, so that a signal handler can tell a kernel's instruction
// from the runtime's, libc's or the host program's.
//
// add() and remove(): any thread. contains(): any thread, also inside a signal handler: no lock, no
// allocation.
#pragma once

#include <cstdint>

namespace canopy {

class KernelText {
 public:
  // The executable segment of the program or library that holds `code`, counted: as many remove() as add().
  // The runtime's own is refused without a word (a test that is linked with the runtime's objects): there
  // kernels cannot be told from what they call.
  static void add(const void* code);
  static void remove(const void* code);
  static bool contains(uintptr_t address);
};

}  // namespace canopy
