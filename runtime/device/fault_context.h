// The machine's side of faults: what a signal handler reads from an interrupted context, and how it makes
// the thread go on elsewhere. One place per architecture.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>

namespace canopy {

#if defined(__x86_64__)

inline uintptr_t interrupted_pc(const ucontext_t& context) {
  return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
}

// Where the interrupted function returns to. REQUIRES: it has not made a frame, and its stack can be read.
inline uintptr_t leaf_return_address(const ucontext_t& context) {
  return *reinterpret_cast<const uintptr_t*>(context.uc_mcontext.gregs[REG_RSP]);
}

// Whether the fault came of a jump to where nothing can run: then the program counter is there already.
inline bool is_wild_jump(const ucontext_t& context) {
  constexpr greg_t kPageFault = 14;
  constexpr greg_t kFetch = 16;
  return context.uc_mcontext.gregs[REG_TRAPNO] == kPageFault && (context.uc_mcontext.gregs[REG_ERR] & kFetch) != 0;
}

// "wrote to", "read": of a page fault.
inline const char* access_of(const ucontext_t& context) {
  constexpr greg_t kWrite = 2;
  if (is_wild_jump(context)) {
    return "jumped to";
  }
  return (context.uc_mcontext.gregs[REG_ERR] & kWrite) != 0 ? "wrote to" : "read";
}

// Whether SIGTRAP comes behind every instruction from the handler's return on.
constexpr greg_t kTrapFlag = 1 << 8;
inline void set_stepping(ucontext_t& context, bool steps) {
  auto& flags = context.uc_mcontext.gregs[REG_EFL];
  flags = steps ? flags | kTrapFlag : flags & ~kTrapFlag;
}

// Whether the next instruction must not be a step: a system call may block signals, which a step's signal does not
// survive, or begin a thread that would step as well. REQUIRES: code lies there.
inline bool enters_system(const ucontext_t& context) {
  const auto* code = reinterpret_cast<const unsigned char*>(interrupted_pc(context));
  return code[0] == 0x0F && code[1] == 0x05;
}

// When the handler returns, the thread goes on there.
inline void go_on_at(ucontext_t& context, uintptr_t pc) { context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(pc); }

// When the handler returns, the thread begins `function`, which never returns, below `stack`.
inline void redirect(ucontext_t& context, void (*function)(), uintptr_t stack) {
  constexpr greg_t kDirection = 1 << 10;       // string operations count upwards in C++ code
  constexpr greg_t kAlignmentCheck = 1 << 18;  // a kernel may have set it
  auto& registers = context.uc_mcontext.gregs;
  registers[REG_EFL] &= ~(kDirection | kAlignmentCheck | kTrapFlag);
  registers[REG_RSP] = static_cast<greg_t>(stack / 16 * 16 - sizeof(void*));  // as behind a call
  registers[REG_RIP] = reinterpret_cast<greg_t>(function);
}

#elif defined(__aarch64__)

inline uintptr_t interrupted_pc(const ucontext_t& context) { return context.uc_mcontext.pc; }
inline uintptr_t leaf_return_address(const ucontext_t& context) { return context.uc_mcontext.regs[30]; }
inline bool is_wild_jump(const ucontext_t& context) { return context.uc_mcontext.fault_address == context.uc_mcontext.pc; }
inline const char* access_of(const ucontext_t&) { return "touched"; }
inline void set_stepping(ucontext_t&, bool) {}
inline bool enters_system(const ucontext_t&) { return true; }  // steps are not for a process itself here
inline void go_on_at(ucontext_t& context, uintptr_t pc) { context.uc_mcontext.pc = pc; }
inline void redirect(ucontext_t& context, void (*function)(), uintptr_t stack) {
  context.uc_mcontext.sp = stack / 16 * 16;
  context.uc_mcontext.pc = reinterpret_cast<uintptr_t>(function);
}

#else
#error "name the registers of this architecture here"
#endif

}  // namespace canopy
