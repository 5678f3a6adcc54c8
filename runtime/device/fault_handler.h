// The process's handlers for the signals that faults raise.
//
// A handler acts only on a thread that runs a block - an executor's, or an AI CPU's - and only when the instruction is the kernel's own
// (KernelText), or one of libc's leaves that a kernel called straight away (memcpy and the like: they hold no
// lock and have made no frame). Then the thread goes on in RunningBlock::leave, on the block's stack. Nothing is unwound. Everything else - host code, the runtime, libc in the middle of something - goes
// to the handler that was there before, or to the default action.
//
// Whoever installs handlers later replaces these; then a kernel's fault is theirs.
#pragma once

#include <csignal>

namespace canopy {

// Asks the thread that gets it to leave its block, if that block's launch has failed. Sent to one thread only.
inline constexpr int kEndBlockSignal = SIGSYS;
// What faults raise, and kEndBlockSignal: threads that run blocks leave these open.
inline constexpr int kFaultSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, kEndBlockSignal};

// Once per process; they stay, because others may have chained to them. Any thread.
void install_fault_handlers();
// False when somebody has replaced the handler, so that the signal would do harm.
bool end_block_handler_is_ours();
// Sends kEndBlockSignal to a thread of this process that runs a block, which is asked again if it is not in the kernel's
// code just now. Under ThreadSanitizer nothing is sent: it runs handlers inside of its own functions.
void ask_to_end_block(int thread);

}  // namespace canopy
