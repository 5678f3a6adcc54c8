#include "runtime/device/fault.h"

#include "runtime/device/launch.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <exception>
#include <string_view>

namespace canopy {
namespace {

// Binaries that the runtime has loaded have the name of a descriptor.
std::string real_path(const char* path) {
  char target[PATH_MAX];
  const ssize_t length = std::string_view(path).starts_with("/proc/self/fd/") ? ::readlink(path, target, sizeof target) : 0;
  if (length <= 0) {
    return path;
  }
  // "/memfd:libkernels.so (deleted)"
  std::string_view name(target, static_cast<size_t>(length));
  name.remove_prefix(name.find(':') + 1);
  return std::string(name.substr(0, name.rfind(" (deleted)")));
}

// "kernel+0x12 of libkernels.so"; the nearest name that the binary exports, or its file alone.
std::string place_of(uintptr_t pc) {
  Dl_info info;
  if (::dladdr(reinterpret_cast<void*>(pc), &info) == 0 || info.dli_fname == nullptr) {
    return fmt::format("{:#x}", pc);
  }
  const std::string path = real_path(info.dli_fname);
  std::string_view file = path;
  file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
  if (info.dli_sname != nullptr) {
    return fmt::format("{}+{:#x} of {}", info.dli_sname, pc - reinterpret_cast<uintptr_t>(info.dli_saddr), file);
  }
  return fmt::format("{}+{:#x}", file, pc - reinterpret_cast<uintptr_t>(info.dli_fbase));
}

std::atomic<std::string (*)(uintptr_t)> g_address_text{nullptr};

// Of x86's general protection and stack faults the processor does not tell the address, which reads as 0.
bool is_untold(const Fault& fault) { return fault.code == SI_KERNEL && (fault.signal == SIGSEGV || fault.signal == SIGBUS); }

std::string describe_access(const Fault& fault) {
  const auto text = g_address_text.load(std::memory_order_acquire);
  const std::string known = text == nullptr ? std::string() : text(fault.address);
  return fmt::format("{} {:#x}, {}{}{}", fault.access, fault.address,
                     fault.code == SEGV_MAPERR ? "where no memory is" : "which it may not", known.empty() ? "" : ": it lies in ",
                     known);
}

const char* describe_arithmetic(int code) {
  switch (code) {
    case FPE_INTDIV:
      return "divided an integer by zero, or the smallest one by -1";
    case FPE_INTOVF:
      return "overflowed an integer";
    case FPE_FLTDIV:
      return "divided a floating-point number by zero, with that trap enabled";
    default:
      return "raised a floating-point exception that it had enabled";
  }
}

}  // namespace

DeviceFault kind_of(int signal) {
  const bool memory_or_arithmetic = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE;
  return memory_or_arithmetic ? DeviceFault::exception : DeviceFault::trap;
}

std::string describe(const Fault& fault, size_t stack_bytes) {
  const std::string place = place_of(fault.pc);
  if (fault.overflow) {
    return fmt::format("overflowed its stack of {} bytes at {}: raise CANOPY_KERNEL_STACK", stack_bytes, place);
  }
  if (is_untold(fault)) {
    return fmt::format("used an address that no memory can have, or one that the instruction wants aligned (the processor "
                       "does not say which), at {}", place);
  }
  switch (fault.signal) {
    case SIGSEGV:
      return fmt::format("{}, at {}", describe_access(fault), place);
    case SIGBUS:
      return fmt::format("{} {:#x}, whose memory is gone or misaligned, at {}", fault.access, fault.address, place);
    case SIGFPE:
      return fmt::format("{} at {}", describe_arithmetic(fault.code), place);
    case SIGILL:
      return fmt::format("ran an illegal or trapping instruction at {}", place);
    case SIGABRT:
      return "called abort(), itself or by a failed assert()";
    default:
      return fmt::format("stopped with signal {} at {}", fault.signal, place);
  }
}

void set_address_text(std::string (*text)(uintptr_t address)) { g_address_text.store(text, std::memory_order_release); }

std::string describe_thrown() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    return fmt::format("an exception: {}", thrown.what());
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

std::string describe(const Block& block) {
  return fmt::format("kernel {} block {} of {}", block.launch->image->name, block.index, block.launch->blocks);
}

}  // namespace canopy
