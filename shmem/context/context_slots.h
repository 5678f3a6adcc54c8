// ContextSlots: what a handle of a context (shmem_ctx_t) names. One table per process, for all
// Worlds in it.
//
// A handle is (generation << 16 | slot), as a pointer that is never followed. The slot holds the
// handle that is alive in it, and the Hot that operations on the context read in place of the
// World's: so an operation with a context costs an index and a compare more than one without. A
// handle that is not alive gets a Hot without PEs: the compare of the hot path that fails for a
// wrong PE fails then too, and the cold path says what is wrong.
//
// Handle 0 is SHMEM_CTX_INVALID: slot 0 is free forever, and its Hot without PEs is what that
// handle gets. Handle 1 is the default context of whoever asks. Slots are written under the mutex
// of World's Contexts; a program that destroys a context while another thread uses it is wrong.
#pragma once

#include "shmem/world/hot.h"

#include <cstdint>
#include <optional>
#include <string>

struct shmemx_ctx;

namespace canopy::shmem {

using ContextHandle = shmemx_ctx*;

struct alignas(64) ContextSlot {
  uintptr_t handle = 0;
  Hot hot;
};
static_assert(sizeof(ContextSlot) == 64 || sizeof(ContextSlot) == 128,
              "one shift finds the slot, and it touches one line where pointers have 8 bytes");

// As many as 16 bits name. Untouched slots are untouched pages, so there is no reason for fewer.
inline constexpr size_t kContextSlots = 1 << 16;
inline constexpr uintptr_t kInvalidContext = 0;
inline constexpr uintptr_t kDefaultContext = 1;

namespace context_detail {
[[gnu::visibility("hidden")]] extern ContextSlot slots[kContextSlots];
// What this thread used last that was not alive, for the sentence.
[[gnu::visibility("hidden"),
  gnu::tls_model("initial-exec")]] extern constinit thread_local uintptr_t dead_handle;
#ifdef CANOPY_DEBUG_CHECKS
// Ends the job when a private context is used by another thread than its creator.
void check_owner(const Hot& hot, uintptr_t handle);
#endif
}  // namespace context_detail

inline const Hot& hot_of(ContextHandle context) {
  const auto handle = reinterpret_cast<uintptr_t>(context);
  if (handle == kDefaultContext) {
    return current_hot();
  }
  const ContextSlot& slot = context_detail::slots[handle % kContextSlots];
  // Relaxed: the program orders creation and destruction with use.
  if (load_relaxed(&slot.handle) != handle) [[unlikely]] {
    context_detail::dead_handle =
        handle;  // and no call, for which the hot path would have to save registers
    return context_detail::slots[0].hot;
  }
#ifdef CANOPY_DEBUG_CHECKS
  context_detail::check_owner(slot.hot, handle);
#endif
  return slot.hot;
}

// Whether this is what hot_of() gives for handles that are not alive.
bool is_dead(const Hot& hot);
// The sentence about the handle that this thread used last and that was not alive.
std::string dead_context_sentence(const char* routine);

// The handle of a free slot with `hot` in it; nothing when all are taken.
std::optional<ContextHandle> take_slot(const Hot& hot);
// REQUIRES: taken.
void give_slot_back(ContextHandle context);
// The Hot in a taken slot, for those who write it.
Hot& slot_hot(ContextHandle context);
// A forked child has no contexts.
void forget_slots();

}  // namespace canopy::shmem
