#include "shmem/context/context_slots.h"

#include "runtime/base/log.h"
#include "shmem/context/open_context.h"
#include "shmem/world/world.h"

#include <sys/mman.h>

#include <mutex>
#include <vector>

namespace canopy::shmem {
namespace {

struct FreeSlots {
  std::mutex mutex;            // guards all
  std::vector<uint32_t> free;  // given back
  uint32_t fresh = 2;          // 0 and 1 are the handles that stand for something else
  uintptr_t generation = 0;    // of the handle given last
};

FreeSlots& free_slots() {
  static FreeSlots slots;
  return slots;
}

}  // namespace

namespace context_detail {

// Zero, so that it is memory of no pages until it is used.
alignas(4096) ContextSlot slots[kContextSlots];

constinit thread_local uintptr_t dead_handle = 0;

#ifdef CANOPY_DEBUG_CHECKS
void check_owner(const Hot& hot, uintptr_t handle) {
  if (hot.context != nullptr) {
    hot.context->check_owner(handle);
  }
}
#endif

}  // namespace context_detail

bool is_dead(const Hot& hot) { return &hot == &context_detail::slots[0].hot; }

std::string dead_context_sentence(const char* routine) {
  const uintptr_t handle = context_detail::dead_handle;
  if (handle == kInvalidContext) {
    return fmt::format("{} on SHMEM_CTX_INVALID", routine);
  }
  return fmt::format(
      "{} on context {:#x}, which does not exist: it was destroyed, or is no context of this "
      "process",
      routine, handle);
}

std::optional<ContextHandle> take_slot(const Hot& hot) {
  FreeSlots& all = free_slots();
  std::lock_guard lock(all.mutex);
  uint32_t index = 0;
  if (!all.free.empty()) {
    index = all.free.back();
    all.free.pop_back();
  } else if (all.fresh < kContextSlots) {
    index = all.fresh++;
  } else {
    return std::nullopt;
  }
  ContextSlot& slot = context_detail::slots[index];
  const uintptr_t handle = ++all.generation * kContextSlots + index;
  slot.hot = hot;
  // Release: the Hot is whole before another thread finds it by this handle.
  store_release(&slot.handle, handle);
  return reinterpret_cast<ContextHandle>(handle);
}

void give_slot_back(ContextHandle context) {
  FreeSlots& all = free_slots();
  std::lock_guard lock(all.mutex);
  const auto index = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(context) % kContextSlots);
  ContextSlot& slot = context_detail::slots[index];
  store_release(&slot.handle, 0);  // first: whoever comes late finds the handle dead
  slot.hot = Hot();
  all.free.push_back(index);
}

Hot& slot_hot(ContextHandle context) {
  return context_detail::slots[reinterpret_cast<uintptr_t>(context) % kContextSlots].hot;
}

void forget_slots() {
  // Zero again, without touching pages that nobody has touched.
  ::madvise(context_detail::slots, sizeof context_detail::slots, MADV_DONTNEED);
}

}  // namespace canopy::shmem
