// Fault: what made a block's code stop, as the signal handler saw it.
#pragma once

#include "runtime/device/abi/fault_code.h"

#include <cstdint>
#include <exception>
#include <string>

namespace canopy {

class Fiber;
struct Block;

struct Fault {
  int signal = 0;
  int code = 0;               // of siginfo
  uintptr_t address = 0;      // that was touched
  uintptr_t pc = 0;
  const char* access = "";    // "read", "wrote to"
  bool overflow = false;      // the address lies in the guard below the block's stack
};

// The block that a thread runs, as that thread's signal handlers find it.
struct RunningBlock {
  Block* block = nullptr;        // null: none
  Fiber* fiber = nullptr;        // on which it runs
  Fault* fault = nullptr;        // where `leave` finds what the handler saw
  void (*leave)() = nullptr;     // where the thread goes on that was taken out of the block's code; never returns
};

// Whether a signal tells of what the code did with memory or numbers; the others are traps.
DeviceFault kind_of(int signal);
// What became of the block, in words: "wrote to 0x8, where no memory is, at axpy+0x12". Not for handlers.
std::string describe(const Fault& fault, size_t stack_bytes);
// What an upper side knows of an address that was touched: "" or the end of a sentence, "a range that ...". One for the
// process; runs on the thread whose block has failed.
void set_address_text(std::string (*text)(uintptr_t address));
// "an exception: out of range". REQUIRES: inside of a handler for it.
std::string describe_thrown();
// Whether it is no exception but pthread_exit(), which unwinds as one does. Nobody may hold it up: a handler for it that
// ends, ends the process. One that never ends, because its stack is abandoned, holds nothing: the thread lives on.
// REQUIRES: as above.
inline bool ends_thread() { return !std::current_exception(); }
inline constexpr const char* kEndsThread = "called pthread_exit(): kernels return, their threads are the runtime's";
// "kernel axpy block 3 of 8".
std::string describe(const Block& block);

}  // namespace canopy
