#include "shmem/rma/far_ops.h"

#include "shmem/rma/rma.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"
#include "transport/base/blocking.h"

namespace canopy::shmem {
namespace {

// One operation, as the public routine was called.
struct FarCall {
  const Hot& hot;
  int pe;
  const char* routine;
};

using transport::Amo;
using transport::AmoOp;
using transport::Target;

// Where the elements are for a transport. Ends the job when they are nowhere.
Target locate(const FarCall& call, const void* address, size_t nelems, size_t element_bytes) {
  const Hot& hot = call.hot;
  size_t nbytes = 0;
  if (static_cast<uint32_t>(call.pe) < hot.n_pes && hot.far != nullptr &&
      hot.far->way_to(call.pe) != nullptr &&
      !__builtin_mul_overflow(nelems, element_bytes, &nbytes)) {
    const uint64_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
    if (const auto target = hot.far->locate(call.pe, offset, nbytes)) {
      return *target;
    }
  }
  bad_target(hot, address, nelems, element_bytes, call.pe, call.routine);
}

// How host code waits for what it has posted to a PE.
struct PostedWait {
  World& world;
  int pe;
  const char* routine;
  void operator()(FunctionRef<bool()> ready) const { wait_posted(world, ready, pe, routine); }
};

void check(World& world, const Result<>& result, int pe, const char* routine) {
  if (!result) [[unlikely]] {
    world.far_failed(pe, routine, result.error().code);
  }
}

// A fence or quiet of the host's covers what kernels have asked for before it: that may still lie in
// their rings.
void post_kernel_requests(World& world, const char* routine) {
  FarPaths& far = *world.far();
  const auto marks = far.requests().marks();
  if (marks.empty()) [[likely]] {
    return;
  }
  const auto posted = [&] {
    far.progress();
    return KernelRequests::posted(marks);
  };
  wait_posted(world, posted, -1, routine);
}

transport::SignalOp signal_op_of(SignalChange change) {
  return change == SignalChange::set ? transport::SignalOp::set : transport::SignalOp::add;
}

// A signal of 4 bytes: the transports' own have 8, so it is an amo behind a fence.
void signal_narrow(World& world, const Target& at, uint64_t value, SignalChange change,
                   const char* routine) {
  const Amo amo{change == SignalChange::set ? AmoOp::set : AmoOp::add, 4, value, 0};
  FarPaths& far = *world.far();
  if (in_kernel()) {
    far.requests().fence(routine);
    far.requests().post_amo(at, amo, routine);
    return;
  }
  transport::Transport& way = *far.way_to(at.peer);
  way.fence();
  const PostedWait wait{world, at.peer, routine};
  check(world, post_patiently(way, wait, [&] { return way.post_amo(at, amo, nullptr, nullptr); }),
        at.peer, routine);
}

uint64_t amo_at(World& world, const Target& at, const Amo& amo, const char* routine) {
  FarPaths& far = *world.far();
  if (in_kernel()) {
    return far.requests().amo(at, amo, routine);
  }
  const PostedWait wait{world, at.peer, routine};
  const auto old = transport::amo(*far.way_to(at.peer), at, amo, wait);
  if (!old) {
    world.far_failed(at.peer, routine, old.error().code);
  }
  return *old;
}

// Transports know words of 4 and 8 bytes: a narrower one changes within its word, by
// compare-and-swap until nobody has come between.
uint64_t add_narrow(World& world, Target at, const Amo& amo, const char* routine) {
  const auto shift = static_cast<unsigned>(at.offset % 4) * 8;
  const uint64_t mask = amo.width == 1 ? 0xFF : 0xFFFF;
  at.offset -= at.offset % 4;
  uint64_t seen = amo_at(world, at, {AmoOp::fetch, 4, 0, 0}, routine);
  for (;;) {
    const uint64_t old = seen >> shift & mask;
    const uint64_t wanted = (seen & ~(mask << shift)) | ((old + amo.value) & mask) << shift;
    const uint64_t found = amo_at(world, at, {AmoOp::compare_swap, 4, wanted, seen}, routine);
    if (found == seen) {
      return old;
    }
    seen = found;
  }
}

}  // namespace

void far_put(void* dest, const void* source, size_t nelems, int pe, const char* routine,
             size_t element_bytes, Completion completion) {
  const FarCall call{current_hot(), pe, routine};
  if (nelems == 0 && static_cast<uint32_t>(call.pe) < call.hot.n_pes) {
    return;  // an operation of nothing may point anywhere
  }
  const Target to = locate(call, dest, nelems, element_bytes);
  const size_t nbytes = nelems * element_bytes;
  World& world = *call.hot.world;
  FarPaths& far = *call.hot.far;
  const bool nbi = completion == Completion::nbi;
  if (in_kernel()) {
    far.requests().put(to, source, nbytes, nbi, call.routine);
    return;
  }
  transport::Transport& way = *far.way_to(call.pe);
  const PostedWait wait{world, call.pe, call.routine};
  check(world,
        nbi ? post_patiently(way, wait, [&] { return way.post_put(to, source, nbytes, nullptr); })
            : transport::put(way, to, source, nbytes, wait),
        call.pe, call.routine);
}

void far_get_from(World& world, void* dest, const Target& from, uint64_t nbytes,
                  const char* routine) {
  if (in_kernel()) {
    world.far()->requests().get(dest, from, nbytes, false, routine);
    return;
  }
  check(world,
        transport::get(*world.far()->way_to(from.peer), dest, from, nbytes,
                       PostedWait{world, from.peer, routine}),
        from.peer, routine);
}

void far_get(void* dest, const void* source, size_t nelems, int pe, const char* routine,
             size_t element_bytes, Completion completion) {
  const FarCall call{current_hot(), pe, routine};
  if (nelems == 0 && static_cast<uint32_t>(call.pe) < call.hot.n_pes) {
    return;
  }
  const Target from = locate(call, source, nelems, element_bytes);
  const size_t nbytes = nelems * element_bytes;
  World& world = *call.hot.world;
  if (completion == Completion::blocking) {
    far_get_from(world, dest, from, nbytes, call.routine);
    return;
  }
  FarPaths& far = *call.hot.far;
  if (in_kernel()) {
    far.requests().get(dest, from, nbytes, true, call.routine);
    return;
  }
  transport::Transport& way = *far.way_to(call.pe);
  const PostedWait wait{world, call.pe, call.routine};
  check(world, post_patiently(way, wait, [&] { return way.post_get(dest, from, nbytes, nullptr); }),
        call.pe, call.routine);
}

void far_signal_at(World& world, const Target& at, uint64_t value, SignalChange change,
                   const char* routine) {
  FarPaths& far = *world.far();
  if (in_kernel()) {
    far.requests().signal(at, signal_op_of(change), value, routine);
    return;
  }
  check(world,
        transport::signal(*far.way_to(at.peer), at, signal_op_of(change), value,
                          PostedWait{world, at.peer, routine}),
        at.peer, routine);
}

void far_signal(void* word, uint64_t value, SignalChange change, int pe, const char* routine,
                uint8_t width) {
  const FarCall call{current_hot(), pe, routine};
  const Target at = locate(call, word, 1, width);
  if (width == sizeof(uint64_t)) {
    far_signal_at(*call.hot.world, at, value, change, call.routine);
  } else {
    signal_narrow(*call.hot.world, at, value, change, call.routine);
  }
}

void far_put_signal(void* dest, const void* source, size_t nelems, void* word, uint64_t value,
                    SignalChange change, int pe, const char* routine, FarPutSignal kind) {
  const auto [element_bytes, completion, width] = kind;
  const FarCall call{current_hot(), pe, routine};
  const Hot& hot = call.hot;
  const bool reached = static_cast<uint32_t>(call.pe) < hot.n_pes && hot.peers[call.pe].bytes != 0;
  if (!reached) {
    far_put(dest, source, nelems, pe, routine, element_bytes, completion);
    far_signal(word, value, change, pe, routine, width);
    return;
  }
  // A PE that loads and stores do reach: only an operation of nothing, which may point anywhere, is
  // right here.
  const uint64_t offset = reinterpret_cast<uintptr_t>(dest) - hot.base;
  const size_t bytes = hot.peers[call.pe].bytes;
  if (nelems != 0 && (offset >= bytes || nelems > (bytes - offset) / element_bytes)) {
    bad_target(hot, dest, nelems, element_bytes, call.pe, call.routine);
  }
  const Remote there = width == sizeof(uint64_t)
                           ? translate_one(hot, static_cast<uint64_t*>(word), call.pe)
                           : translate_one(hot, static_cast<uint32_t*>(word), call.pe);
  if (!there.direct) {
    bad_target(hot, word, 1, width, call.pe, call.routine);
  }
  if (width == sizeof(uint64_t)) {
    change_signal(reinterpret_cast<uint64_t*>(there.at), value, change);
  } else {
    change_signal(reinterpret_cast<uint32_t*>(there.at), static_cast<uint32_t>(value), change);
  }
  there.ring();
}

uint64_t far_amo(void* word, const Amo& amo, int pe, const char* routine) {
  const FarCall call{current_hot(), pe, routine};
  const Target at = locate(call, word, 1, amo.width);
  World& world = *call.hot.world;
  return amo.width < 4 ? add_narrow(world, at, amo, call.routine)
                       : amo_at(world, at, amo, call.routine);
}

void far_fence(const char* routine) {
  FarPaths* far = current_hot().far;
  if (far == nullptr) {
    return;
  }
  if (in_kernel()) {
    far->requests().fence(routine);
  } else {
    post_kernel_requests(*current_hot().world, routine);
    far->fence();
  }
}

void far_quiet(const char* routine) {
  const Hot& hot = current_hot();
  if (hot.far == nullptr) {
    return;
  }
  World& world = *hot.world;
  if (in_kernel()) {
    hot.far->requests().quiet(routine);
    return;
  }
  post_kernel_requests(world, routine);
  for (const auto& way : hot.far->transports()) {
    const PostedWait wait{world, -1, routine};
    check(world, transport::quiet(*way, transport::kAllPeers, wait), transport::kAllPeers, routine);
  }
}

void far_poll() {
  if (FarPaths* far = current_hot().far) {
    far->progress();
  }
}

}  // namespace canopy::shmem
