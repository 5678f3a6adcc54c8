#include "shmem/debug/call_site.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unwind.h>

#include <fmt/format.h>

#include <string_view>

namespace canopy::shmem {
namespace {

// Deeper stacks than this between a public name and its sentence do not exist.
constexpr int kMostFrames = 64;

struct Walk {
  const void* own = nullptr;  // base of the object that this code is in
  const void* found = nullptr;
  int frames = 0;
};

std::string_view file_name(const char* path) {
  std::string_view file = path == nullptr ? "" : path;
  file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
  return file;
}

bool is_ours(const Dl_info& info, const void* own) {
  return info.dli_fbase == own || file_name(info.dli_fname).starts_with("libcanopy_");
}

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* raw) {
  auto& walk = *static_cast<Walk*>(raw);
  int exact = 0;
  // A return address is behind the call: one byte before it is within.
  const uintptr_t pc = ::_Unwind_GetIPInfo(frame, &exact) - (exact != 0 ? 0 : 1);
  Dl_info info;
  if (++walk.frames > kMostFrames || ::dladdr(reinterpret_cast<void*>(pc), &info) == 0) {
    return _URC_END_OF_STACK;
  }
  if (is_ours(info, walk.own)) {
    return _URC_NO_REASON;
  }
  // A thread of ours begins in libc or libstdc++: nobody of the program's has called.
  const std::string_view file = file_name(info.dli_fname);
  if (!file.starts_with("libc.") && !file.starts_with("libstdc++.")) {
    walk.found = reinterpret_cast<const void*>(pc);
  }
  return _URC_END_OF_STACK;
}

// What addr2line wants: for what is loaded anywhere, the distance from there.
uintptr_t link_address(const Dl_info& info, uintptr_t pc) {
  const auto* header = static_cast<const ElfW(Ehdr)*>(info.dli_fbase);
  return header->e_type == ET_DYN ? pc - reinterpret_cast<uintptr_t>(info.dli_fbase) : pc;
}

}  // namespace

CallSite call_site() {
  Walk walk;
  Dl_info self;
  if (::dladdr(reinterpret_cast<void*>(&call_site), &self) != 0) {
    walk.own = self.dli_fbase;
  }
  ::_Unwind_Backtrace(&visit, &walk);
  return {walk.found};
}

std::string CallSite::text() const {
  Dl_info info;
  if (pc == nullptr || ::dladdr(pc, &info) == 0 || info.dli_fname == nullptr) {
    return pc == nullptr ? "" : fmt::format("{}", fmt::ptr(pc));
  }
  const auto at = reinterpret_cast<uintptr_t>(pc);
  const std::string_view file = file_name(info.dli_fname);
  const std::string place = fmt::format("{}+{:#x}", file, link_address(info, at));
  return info.dli_sname == nullptr
             ? place
             : fmt::format("{}+{:#x}, {}", info.dli_sname, at - reinterpret_cast<uintptr_t>(info.dli_saddr), place);
}

std::string CallSite::suffix() const { return pc == nullptr ? "" : fmt::format(" (called from {})", text()); }

}  // namespace canopy::shmem
