// Fault: what made a block's code stop, as the signal handler saw it.
#pragma once

#include <cstdint>
#include <string>

namespace canopy {

struct Block;

struct Fault {
  int signal = 0;
  int code = 0;               // of siginfo
  uintptr_t address = 0;      // that was touched
  uintptr_t pc = 0;
  const char* access = "";    // "read", "wrote to"
  bool overflow = false;      // the address lies in the guard below the block's stack
};

// What became of the block, in words: "wrote to 0x8, where no memory is, at axpy+0x12". Not for handlers.
std::string describe(const Fault& fault, size_t stack_bytes);
// "kernel axpy block 3 of 8".
std::string describe(const Block& block);

}  // namespace canopy
