#include "runtime/device/abort_origin.h"

#include "runtime/device/kernel_text.h"

#include <dlfcn.h>
#include <unwind.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <exception>

namespace canopy {
namespace {

// Between abort() and the kernel nothing may lie, or one of these, which the kernel called, with at most as many
// helpers of its own; none of them holds a lock when it aborts. A throw aborts from inside the unwinder.
struct Between {
  const void* function;
  uint32_t helpers;
};
std::array<Between, 4> g_between{};

const void* find(const char* name) { return ::dlsym(RTLD_DEFAULT, name); }

struct Walk {
  bool aborted = false;         // abort() has been passed
  uint32_t helpers = 0;  // frames since abort()
  bool between = false;  // one of g_between is the last frame that was seen
  bool from_kernel = false;
};

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* raw) {
  auto& walk = *static_cast<Walk*>(raw);
  int exact = 0;
  // The call, not what is behind it, where another function may begin: abort() never returns.
  const uintptr_t pc = ::_Unwind_GetIPInfo(frame, &exact) - (exact != 0 ? 0 : 1);
  const void* function = ::_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(pc + 1));  // looks one before
  if (!walk.aborted) {
    walk.aborted = function == reinterpret_cast<const void*>(&std::abort);
    return _URC_NO_REASON;
  }
  if (KernelText::contains(pc)) {
    walk.from_kernel = walk.between || walk.helpers == 0;
    return _URC_END_OF_STACK;
  }
  for (const Between& known : g_between) {
    if (function != nullptr && function == known.function && walk.helpers <= known.helpers) {
      walk.between = true;
      return _URC_NO_REASON;
    }
  }
  walk.between = false;
  ++walk.helpers;
  return _URC_NO_REASON;
}

}  // namespace

void prepare_abort_origin() {
  g_between = {{{find("__assert_fail"), 1},
                {find("_ZSt9terminatev"), 2},
                {find("__cxa_throw"), 6},
                {find("__cxa_rethrow"), 6}}};
  ::_Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
}

bool kernel_called_abort() {
  Walk walk;
  ::_Unwind_Backtrace(&visit, &walk);
  return walk.from_kernel;
}

}  // namespace canopy
