#include "shmem/world/hot.h"

#include "runtime/base/log.h"
#include "shmem/context/context_slots.h"
#include "shmem/debug/call_site.h"
#include "shmem/debug/whereabouts.h"
#include "shmem/world/world.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>

namespace canopy::shmem {
namespace {

Hot nothing{.my_pe = -1};
// What a forked child sees: as nothing, but the sentence differs.
Hot forked{.my_pe = -1};

void forget_in_child() {
  std::atomic_ref<Hot*>(hot_detail::process_hot).store(&forked, std::memory_order_relaxed);
  hot_detail::thread_hot = nullptr;
  forget_slots();
  store_relaxed(&hot_detail::far_worlds, 0);  // the child has one thread, and no World
}

}  // namespace

namespace hot_detail {
Hot* process_hot = &nothing;
uint32_t far_worlds = 0;
constinit thread_local Hot* thread_hot = nullptr;
}  // namespace hot_detail

void set_current(Hot* hot, bool for_thread) {
  if (for_thread) {
    hot_detail::thread_hot = hot;
    return;
  }
  static const int registered = ::pthread_atfork(nullptr, nullptr, forget_in_child);
  (void)registered;
  // Release: the Hot is whole before another thread finds it.
  std::atomic_ref<Hot*>(hot_detail::process_hot)
      .store(hot != nullptr ? hot : &nothing, std::memory_order_release);
}

namespace {

std::string about_globals(const Hot& hot) {
  if (hot.globals_bytes == 0) {
    return fmt::format("({})", hot.world->globals_differ());
  }
  return fmt::format("and not among the executable's globals and statics, which have {} bytes from {} on (those of shared "
                     "libraries, thread_local and constant ones are not symmetric)",
                     hot.globals_bytes, fmt::ptr(reinterpret_cast<const void*>(hot.globals)));
}

// Where an address outside the heap lies, and how far from it.
std::string about_place(const Hot& hot, uintptr_t at) {
  if (at == 0) {
    return "it is null";
  }
  const Hot& all = hot.world->hot();
  for (uint32_t pe = 0; pe < all.n_pes; ++pe) {
    if (pe != static_cast<uint32_t>(all.my_pe) && at - all.peers[pe].base < all.peers[pe].bytes) {
      return fmt::format("it lies in the memory of PE {}, as shmem_ptr gives it: routines want this PE's own address of an object", pe);
    }
  }
  const std::string distance = at < hot.base ? fmt::format("{} bytes before the heap's start", hot.base - at)
                                             : fmt::format("{} bytes behind the heap's end", at - hot.base - hot.bytes);
  return fmt::format("it lies in {}, {}", segment_of(reinterpret_cast<const void*>(at)), distance);
}

}  // namespace

void bad_target(const Hot& hot, const void* address, size_t nelems, size_t element_bytes, int pe,
                const char* routine) {
  if (is_dead(hot) && current_hot().world != nullptr) {
    World& world = *current_hot().world;
    world.fail_job(kMisuseStatus, fmt::format("pe {}: {}", world.my_pe(), dead_context_sentence(routine)));
  }
  if (hot.world == nullptr) {
    const std::string caller = call_site().suffix();
    report(
        &current_hot() == &forked
            ? fmt::format("{} was called in a forked child (pid {}): a child is no PE of the job{}",
                          routine, ::getpid(), caller)
            : fmt::format("{} was called before init or after finalize{}", routine, caller));
    std::_Exit(1);
  }
  std::string sentence;
  if (static_cast<uint32_t>(pe) >= hot.n_pes) {
    sentence = fmt::format("pe {}: {}: PE {} does not exist, {} has PEs 0 to {}", hot.my_pe, routine,
                           pe, hot.context != nullptr ? "the team of the context" : "the job",
                           hot.n_pes - 1);
  } else if (const auto at = reinterpret_cast<uintptr_t>(address); at - hot.base < hot.bytes) {
    sentence = fmt::format(
        "pe {}: {}: {} at {} reach past the end of the symmetric heap, where {} bytes are left",
        hot.my_pe, routine, extent_text(nelems, element_bytes), fmt::ptr(address),
        hot.bytes - (at - hot.base));
  } else {
    sentence = fmt::format(
        "pe {}: {}: {} with {} is not in the symmetric heap, which has {} bytes from {} on {}; {}",
        hot.my_pe, routine, fmt::ptr(address), extent_text(nelems, element_bytes), hot.bytes,
        fmt::ptr(reinterpret_cast<const void*>(hot.base)), about_globals(hot), about_place(hot, at));
  }
  hot.world->fail_job(kMisuseStatus, sentence);
}

}  // namespace canopy::shmem
