#include "runtime/device/fault_handler.h"

#include "runtime/device/abort_origin.h"
#include "runtime/device/aicpu_engine.h"
#include "runtime/device/executor.h"
#include "runtime/device/fault.h"
#include "runtime/device/fault_context.h"
#include "runtime/device/guarded_access.h"
#include "runtime/device/kernel_text.h"
#include "runtime/device/scheduler.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace canopy {
namespace {

// Written before the handlers are installed, by which they are ordered.
std::array<struct sigaction, NSIG> g_before{};
// Functions of libc that hold no lock, by where the unwinder sees them begin. Under a sanitizer they are its
// own functions, of which this is not known: none then.
std::array<const void*, 16> g_leaves{};

void find_leaves() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr const char* kNames[] = {"memcpy", "memmove", "mempcpy", "memset",  "memcmp",  "bcmp",   "memchr",  "memrchr",
                                    "strlen", "strnlen", "strcpy",  "strncpy", "strcmp", "strncmp", "strchr", "strrchr"};
  static_assert(std::size(kNames) <= std::tuple_size_v<decltype(g_leaves)>);
  for (size_t i = 0; i < std::size(kNames); ++i) {
    // The variant for this processor, which may share its unwind record with others.
    auto* code = static_cast<std::byte*>(::dlsym(RTLD_DEFAULT, kNames[i]));
    g_leaves[i] = code == nullptr ? nullptr : ::_Unwind_FindEnclosingFunction(code + 1);
  }
#endif
}

bool is_leaf(uintptr_t pc) {
  const void* function = ::_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(pc + 1));  // looks one before
  for (const void* leaf : g_leaves) {
    if (leaf != nullptr && leaf == function) {
      return true;
    }
  }
  return false;
}

bool in_kernel_code(const ucontext_t& context) {
  const uintptr_t pc = interrupted_pc(context);
  return KernelText::contains(pc) || (is_leaf(pc) && KernelText::contains(leaf_return_address(context)));
}

// For faults only: of a signal that somebody sends, the context tells what the thread's last fault was.
bool jumped_from_kernel_code(const ucontext_t& context) {
  return is_wild_jump(context) && KernelText::contains(leaf_return_address(context));
}

bool sent_by_this_process(const siginfo_t& info) { return info.si_code == SI_TKILL && info.si_pid == ::getpid(); }

bool is_kernels_fault(int signal, const siginfo_t& info, const ucontext_t& context) {
  if (signal == SIGABRT) {
    return sent_by_this_process(info) && kernel_called_abort();
  }
  // Otherwise somebody has sent it.
  return info.si_code > 0 && (in_kernel_code(context) || jumped_from_kernel_code(context));
}

Fault fault_of(int signal, const siginfo_t& info, const ucontext_t& context, const Fiber& fiber) {
  Fault fault;
  fault.signal = signal;
  fault.code = info.si_code;
  fault.address = reinterpret_cast<uintptr_t>(info.si_addr);
  fault.pc = interrupted_pc(context);
  fault.access = access_of(context);
  fault.overflow = (signal == SIGSEGV || signal == SIGBUS) && fiber.guards(fault.address);
  return fault;
}

// Relaxed: asked again until the block has ended.
bool is_to_end(const Launch& launch) {
  return launch.failed.load(std::memory_order_relaxed) || launch.strand->scheduler().ends_early(launch);
}

RunningBlock running_block() {
  const RunningBlock on_executor = Executor::running_block();
  return on_executor.block != nullptr ? on_executor : AiCpuEngine::running_block();
}

// Whether this thread takes single steps back to the kernel's own code, where its block can be left.
// So many of them at a time: code that is longer (an exception on its way, the formatting of a number) goes on at its
// own speed until the next kEndBlockSignal.
constexpr uint32_t kMostSteps = 2'000;
[[gnu::tls_model("initial-exec")]] thread_local bool t_steps = false;
[[gnu::tls_model("initial-exec")]] thread_local uint32_t t_steps_left = 0;

void leave_block(ucontext_t& context, const RunningBlock& running, const Fault& fault) {
#if defined(__SANITIZE_ADDRESS__)
  // The kernel's frames are gone; what runs next uses their memory.
  __asan_unpoison_memory_region(const_cast<void*>(running.fiber->stack_low()), running.fiber->stack_bytes());
#endif
  // A handler that this one has interrupted never returns, and so its signal would stay blocked: the kernel
  // delivers kEndBlockSignal before a SIGABRT that has come with it, whose handler then runs first.
  for (const int open : kFaultSignals) {
    sigdelset(&context.uc_sigmask, open);
  }
  t_steps = false;
  running.block->is_over = true;
  *running.fault = fault;
  redirect(context, running.leave, running.block->entry_stack);
}

// Of a fault in a block that ends the process all the same. Inside a handler: no allocation, one write.
void tell_why_not(int signal, const ucontext_t& context, const Block& block, const Fault& fault) {
  Dl_info info{};
  ::dladdr(reinterpret_cast<void*>(interrupted_pc(context)), &info);
  char text[512];
  const auto end = fmt::format_to_n(
      text, sizeof text,
      "canopy: kernel {} block {}: signal {} at {} (in {}), which is not the kernel's own code{}: the process ends\n",
      block.launch->image->trace_name, block.index, signal, fmt::ptr(reinterpret_cast<void*>(interrupted_pc(context))),
      info.dli_fname != nullptr ? info.dli_fname : "no file",
      fault.overflow ? "; the block's stack has overflowed, raise CANOPY_KERNEL_STACK" : "");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::min(end.size, sizeof text));
}

// What would have happened without this handler.
void chain(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = g_before[static_cast<size_t>(signal)];
  const bool plain = (before.sa_flags & SA_SIGINFO) == 0;
  if (plain && before.sa_handler == SIG_IGN && info->si_code <= 0) {
    return;
  }
  if (plain && (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)) {
    struct sigaction fresh {};
    fresh.sa_handler = SIG_DFL;
    ::sigaction(signal, &fresh, nullptr);
    if (info->si_code <= 0) {
      ::raise(signal);  // comes when the handler returns; a fault comes again by itself
    }
    return;
  }
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, &before.sa_mask, &mask);
  if (plain) {
    before.sa_handler(signal);
  } else {
    before.sa_sigaction(signal, info, context);
  }
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

void on_signal(int signal, siginfo_t* info, void* raw);

bool is_ours(int signal) {
  struct sigaction now {};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_sigaction == &on_signal;
}

// Whether this thread's next instruction may be a step: its signal comes to us, and nobody has blocked it, which ends
// the process then.
bool may_step(const ucontext_t& context) {
  const uintptr_t pc = interrupted_pc(context);
  const bool is_code = ::_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(pc + 1)) != nullptr;
  return is_code && !enters_system(context) && sigismember(&context.uc_sigmask, SIGTRAP) == 0 && is_ours(SIGTRAP);
}

// The block on this thread is to end, if there is one and it is: now, or where its own code goes on, which a block that
// calls libc all the time is rarely found in. Steps lead through locks of libc and of the runtime; another fiber or a
// system call ends them, and the next kEndBlockSignal begins them anew.
void end_block(ucontext_t& context, const RunningBlock& running) {
  const bool ends = running.block != nullptr && !running.block->is_over && is_to_end(*running.block->launch);
  const bool now = ends && in_kernel_code(context);
  t_steps = ends && !now && t_steps_left != 0 && may_step(context);
  t_steps_left -= t_steps ? 1 : 0;
  set_stepping(context, t_steps);
  if (now) {
    leave_block(context, running, Fault{.signal = kEndBlockSignal});
  }
}

// Some virtual machines lose the bit by which Linux tells a step from the one-byte breakpoint of hardware debuggers, once
// in ten thousand: then it says TRAP_BRKPT. (Of int3 it says neither.)
bool is_step(int signal, const siginfo_t& info) {
  return signal == SIGTRAP && (info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT) && t_steps;
}

void on_signal(int signal, siginfo_t* info, void* raw) {
  const int saved = errno;
  auto& context = *static_cast<ucontext_t*>(raw);
  const RunningBlock running = running_block();
  const bool in_block = running.block != nullptr;
  if (signal == kEndBlockSignal && sent_by_this_process(*info)) {
    t_steps_left = kMostSteps;
    end_block(context, running);
  } else if (is_step(signal, *info)) {
    end_block(context, running);
  } else if (const uintptr_t exit = info->si_code > 0 ? guarded_access_exit(interrupted_pc(context)) : 0; exit != 0) {
    go_on_at(context, exit);
  } else if (in_block) {
    const Fault fault = fault_of(signal, *info, context, *running.fiber);
    if (is_kernels_fault(signal, *info, context)) {
      leave_block(context, running, fault);
    } else {
      tell_why_not(signal, context, *running.block, fault);
      chain(signal, info, raw);
    }
  } else {
    chain(signal, info, raw);
  }
  errno = saved;
}

}  // namespace

void install_fault_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    find_leaves();
    prepare_abort_origin();
    for (const int signal : kFaultSignals) {
      struct sigaction mine {};
      mine.sa_sigaction = &on_signal;
      mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
      sigemptyset(&mine.sa_mask);
      // A step inside of the handler of one would end the process.
      sigaddset(&mine.sa_mask, kEndBlockSignal);
      ::sigaction(signal, nullptr, &g_before[static_cast<size_t>(signal)]);
      ::sigaction(signal, &mine, nullptr);
    }
  });
}

void ask_to_end_block([[maybe_unused]] int thread) {
#if !defined(__SANITIZE_THREAD__)
  ::syscall(SYS_tgkill, ::getpid(), thread, kEndBlockSignal);
#endif
}

bool end_block_handler_is_ours() { return is_ours(kEndBlockSignal); }

}  // namespace canopy
