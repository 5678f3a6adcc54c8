#include "shmem/rma/far_ops.h"

#include "shmem/context/open_context.h"
#include "shmem/debug/guard.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"
#include "transport/base/blocking.h"

#include <algorithm>
#include <array>

namespace canopy::shmem {
namespace {

using transport::Amo;
using transport::AmoOp;
using transport::Target;

// One operation, as the public routine was called.
struct FarCall {
  const Hot& hot;
  int pe;  // of the context
  const char* routine;
};

int job_pe(const Hot& hot, int pe) { return hot.context != nullptr ? hot.context->job_pe(pe) : pe; }

// The posting side of the context towards a PE of the job.
transport::Context& way_of(const Hot& hot, int job_pe) {
  return hot.context != nullptr ? *hot.context->way_to(job_pe) : *hot.far->way_to(job_pe);
}

// Where the elements are for a transport. Ends the job when they are nowhere.
Target locate(const FarCall& call, const void* address, size_t nelems, size_t element_bytes) {
  const Hot& hot = call.hot;
  size_t nbytes = 0;
  if (static_cast<uint32_t>(call.pe) < hot.n_pes && hot.far != nullptr &&
      !__builtin_mul_overflow(nelems, element_bytes, &nbytes)) {
    const int pe = job_pe(hot, call.pe);
    const uint64_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
    if (hot.far->way_to(pe) != nullptr) {
      if (const auto target = hot.far->locate(pe, offset, nbytes)) {
        return *target;
      }
    }
  }
  bad_target(hot, address, nelems, element_bytes, call.pe, call.routine);
}

// Where loads and stores reach the elements after all: globals, which the hot path does not know.
Remote reach(const FarCall& call, const void* address, size_t nelems, size_t element_bytes) {
  size_t nbytes = 0;
  if (__builtin_mul_overflow(nelems, element_bytes, &nbytes)) {
    return {nullptr, nullptr, false};
  }
  return translate<1>(call.hot, address, nbytes, call.pe);
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

// A fence or quiet of the host's covers what kernels have asked for before it: that may still lie
// in their rings.
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

uint64_t amo_at(const Hot& hot, const Target& at, const Amo& amo, const char* routine) {
  World& world = *hot.world;
  FarPaths& far = *world.far();
  if (in_kernel()) {
    return far.requests().amo(at, amo, routine);
  }
  const PostedWait wait{world, at.peer, routine};
  const auto old = transport::amo(way_of(hot, at.peer), at, amo, wait);
  if (!old) {
    world.far_failed(at.peer, routine, old.error().code);
  }
  return *old;
}

// Transports know words of 4 and 8 bytes: a narrower one changes within its word, by
// compare-and-swap until nobody has come between.
uint64_t add_narrow(const Hot& hot, Target at, const Amo& amo, const char* routine) {
  const auto shift = static_cast<unsigned>(at.offset % 4) * 8;
  const uint64_t mask = amo.width == 1 ? 0xFF : 0xFFFF;
  at.offset -= at.offset % 4;
  uint64_t seen = amo_at(hot, at, {AmoOp::fetch, 4, 0, 0}, routine);
  for (;;) {
    const uint64_t old = seen >> shift & mask;
    const uint64_t wanted = (seen & ~(mask << shift)) | ((old + amo.value) & mask) << shift;
    const uint64_t found = amo_at(hot, at, {AmoOp::compare_swap, 4, wanted, seen}, routine);
    if (found == seen) {
      return old;
    }
    seen = found;
  }
}

}  // namespace

namespace {

// Source complete on return, or with nbi at quiet.
void put_at(const FarCall& call, const Target& to, const void* source, size_t nbytes, bool nbi) {
  World& world = *call.hot.world;
  if (in_kernel()) {
    call.hot.far->requests().put(to, source, nbytes, nbi, call.routine);
    return;
  }
  transport::Context& way = way_of(call.hot, to.peer);
  const PostedWait wait{world, to.peer, call.routine};
  check(world,
        nbi ? post_patiently(way, wait, [&] { return way.post_put(to, source, nbytes, nullptr); })
            : transport::put(way, to, source, nbytes, wait),
        to.peer, call.routine);
}

void get_at(const FarCall& call, void* dest, const Target& from, size_t nbytes, bool nbi) {
  World& world = *call.hot.world;
  if (in_kernel()) {
    call.hot.far->requests().get(dest, from, nbytes, nbi, call.routine);
    return;
  }
  transport::Context& way = way_of(call.hot, from.peer);
  const PostedWait wait{world, from.peer, call.routine};
  check(world,
        nbi ? post_patiently(way, wait, [&] { return way.post_get(dest, from, nbytes, nullptr); })
            : transport::get(way, dest, from, nbytes, wait),
        from.peer, call.routine);
}

}  // namespace

void far_put(void* dest, const void* source, size_t nelems, int pe, const char* routine,
             size_t element_bytes, Completion completion, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::put(called, dest, source, nelems, element_bytes, pe, routine);
  if (nelems == 0 && static_cast<uint32_t>(pe) < hot.n_pes) {
    return;  // an operation of nothing may point anywhere
  }
  const FarCall call{hot, pe, routine};
  dest = in_user_area(hot, dest);
  if (const Remote to = reach(call, dest, nelems, element_bytes); to.direct) {
    transport::copy_bytes(to.at, source, nelems * element_bytes);
    to.ring();
    return;
  }
  const Target to = locate(call, dest, nelems, element_bytes);
  put_at(call, to, source, nelems * element_bytes, completion == Completion::nbi);
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
             size_t element_bytes, Completion completion, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::get(called, dest, source, nelems, element_bytes, pe, routine);
  if (nelems == 0 && static_cast<uint32_t>(pe) < hot.n_pes) {
    return;
  }
  const FarCall call{hot, pe, routine};
  source = in_user_area(hot, source);
  if (const Remote from = reach(call, source, nelems, element_bytes); from.direct) {
    transport::copy_bytes(dest, from.at, nelems * element_bytes);
    return;
  }
  const Target from = locate(call, source, nelems, element_bytes);
  get_at(call, dest, from, nelems * element_bytes, completion == Completion::nbi);
}

namespace {

void signal_here(const Remote& to, uint64_t value, SignalChange change, uint8_t width) {
  if (width == sizeof(uint64_t)) {
    change_signal(reinterpret_cast<uint64_t*>(to.at), value, change);
  } else {
    change_signal(reinterpret_cast<uint32_t*>(to.at), static_cast<uint32_t>(value), change);
  }
  to.ring();
}

void signal_on(const Hot& hot, const Target& at, uint64_t value, SignalChange change,
               uint8_t width, const char* routine) {
  const bool sets = change == SignalChange::set;
  const transport::Signal update{sets ? transport::SignalOp::set : transport::SignalOp::add, value, width};
  if (in_kernel()) {
    hot.far->requests().signal(at, update, routine);
    return;
  }
  check(*hot.world,
        transport::signal(way_of(hot, at.peer), at, update,
                          PostedWait{*hot.world, at.peer, routine}),
        at.peer, routine);
}

}  // namespace

void far_signal_at(World& world, const Target& at, uint64_t value, SignalChange change,
                   const char* routine) {
  signal_on(world.hot(), at, value, change, sizeof value, routine);
}

void far_signal(void* word, uint64_t value, SignalChange change, int pe, const char* routine,
                uint8_t width, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::signal(called, word, value, width, pe, routine);
  word = in_user_area(hot, word);
  if (const Remote to = reach({hot, pe, routine}, word, 1, width); to.direct) {
    signal_here(to, value, change, width);
    return;
  }
  signal_on(hot, locate({hot, pe, routine}, word, 1, width), value, change, width, routine);
}

void far_put_signal(void* dest, const void* source, size_t nelems, void* word, uint64_t value,
                    SignalChange change, int pe, const char* routine, FarPutSignal kind,
                    const Hot& called) {
  const auto [element_bytes, completion, width] = kind;
  const Hot& hot = called.behind == nullptr
                       ? called
                       : guarded::put_signal(called, dest, source, nelems, element_bytes, word, value, width, pe, routine);
  const FarCall call{hot, pe, routine};
  const bool reached = static_cast<uint32_t>(call.pe) < hot.n_pes && hot.peers[call.pe].bytes != 0;
  if (!reached) {
    far_put(dest, source, nelems, pe, routine, element_bytes, completion, hot);
    far_signal(word, value, change, pe, routine, width, hot);
    return;
  }
  // A PE that loads and stores do reach: right are globals, and an operation of nothing, which may
  // point anywhere.
  const Remote to = reach(call, in_user_area(hot, dest), nelems, element_bytes);
  if (nelems != 0 && !to.direct) {
    bad_target(hot, dest, nelems, element_bytes, call.pe, call.routine);
  }
  const Remote there = reach(call, in_user_area(hot, word), 1, width);
  if (!there.direct) {
    bad_target(hot, word, 1, width, call.pe, call.routine);
  }
  if (nelems != 0) {
    transport::copy_bytes(to.at, source, nelems * element_bytes);
  }
  signal_here(there, value, change, width);
}

namespace {

// The CPU atomic of the hot path, as transports do it for others. Of narrow words too.
uint64_t amo_here(const Remote& to, const Amo& amo) {
  uint64_t old = 0;
  if (amo.width == 1) {
    old = std::atomic_ref(*reinterpret_cast<uint8_t*>(to.at)).fetch_add(static_cast<uint8_t>(amo.value));
  } else if (amo.width == 2) {
    old = std::atomic_ref(*reinterpret_cast<uint16_t*>(to.at)).fetch_add(static_cast<uint16_t>(amo.value));
  } else {
    old = transport::direct::amo(to.at, amo);
  }
  if (amo.op != AmoOp::fetch) {
    to.ring();
  }
  return old;
}

}  // namespace

uint64_t far_amo(void* word, const Amo& amo, int pe, const char* routine, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::amo(called, word, amo, nullptr, pe, routine);
  word = in_user_area(hot, word);
  if (const Remote to = reach({hot, pe, routine}, word, 1, amo.width); to.direct) {
    return amo_here(to, amo);
  }
  const Target at = locate({hot, pe, routine}, word, 1, amo.width);
  return amo.width < 4 ? add_narrow(hot, at, amo, routine) : amo_at(hot, at, amo, routine);
}

namespace {

PendingFetches& fetches_of(const Hot& hot) {
  return hot.context != nullptr ? hot.context->fetches() : hot.far->fetches();
}

void store_old(void* fetch, uint64_t old, uint8_t width) {
  if (width == sizeof(uint64_t)) {
    *static_cast<uint64_t*>(fetch) = old;
  } else {
    *static_cast<uint32_t*>(fetch) = static_cast<uint32_t>(old);
  }
}

}  // namespace

void far_amo_nbi(void* fetch, void* word, const Amo& amo, int pe, const char* routine,
                 const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::amo(called, word, amo, fetch, pe, routine);
  word = in_user_area(hot, word);
  if (const Remote to = reach({hot, pe, routine}, word, 1, amo.width); to.direct) {
    store_old(fetch, amo_here(to, amo), amo.width);
    return;
  }
  const Target at = locate({hot, pe, routine}, word, 1, amo.width);
  if (in_kernel()) {
    store_old(fetch, hot.far->requests().amo(at, amo, routine), amo.width);
    return;
  }
  uint64_t* old = static_cast<uint64_t*>(fetch);
  transport::Ticket* ticket = nullptr;
  if (amo.width != sizeof(uint64_t)) {  // transports write 8 bytes
    PendingFetches::Fetch& pending = fetches_of(hot).add(static_cast<uint32_t*>(fetch));
    old = &pending.old;
    ticket = &pending.ticket;
  }
  transport::Context& way = way_of(hot, at.peer);
  const PostedWait wait{*hot.world, at.peer, routine};
  check(*hot.world, post_patiently(way, wait, [&] { return way.post_amo(at, amo, old, ticket); }),
        at.peer, routine);
}

namespace {

// From the first byte of the first block to the last of the last; nothing when that is no number.
std::optional<size_t> extent(const StridedBlocks& blocks, size_t step) {
  size_t bytes = 0;
  if (blocks.n_blocks == 0 || blocks.block_bytes == 0) {
    return bytes;
  }
  if (__builtin_mul_overflow(blocks.n_blocks - 1, step, &bytes) ||
      __builtin_add_overflow(bytes, blocks.block_bytes, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

Target locate_blocks(const FarCall& call, const void* address, const StridedBlocks& blocks,
                     size_t step) {
  return locate(call, address, extent(blocks, step).value_or(~size_t{0}), 1);
}

Remote reach_blocks(const FarCall& call, const void* address, const StridedBlocks& blocks,
                    size_t step) {
  return reach(call, address, extent(blocks, step).value_or(~size_t{0}), 1);
}

// Elements of iput and iget do not tear: copy_bytes moves up to 8 aligned bytes at once.
void copy_here(std::byte* to, const std::byte* from, const StridedBlocks& blocks) {
  for (size_t i = 0; i < blocks.n_blocks; ++i) {
    transport::copy_bytes(to + i * blocks.to_step, from + i * blocks.from_step, blocks.block_bytes);
  }
}

bool nothing_to_move(const StridedBlocks& blocks, int pe, const Hot& hot) {
  return (blocks.n_blocks == 0 || blocks.block_bytes == 0) && static_cast<uint32_t>(pe) < hot.n_pes;
}

}  // namespace

void far_put_strided(void* dest, const void* source, const StridedBlocks& blocks, int pe,
                     const char* routine, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::strided(called, dest, source, blocks, true, pe, routine);
  if (nothing_to_move(blocks, pe, hot)) {
    return;
  }
  const FarCall call{hot, pe, routine};
  dest = in_user_area(hot, dest);
  if (const Remote near = reach_blocks(call, dest, blocks, blocks.to_step); near.direct) {
    copy_here(near.at, static_cast<const std::byte*>(source), blocks);
    near.ring();
    return;
  }
  Target to = locate_blocks(call, dest, blocks, blocks.to_step);
  const auto* from = static_cast<const std::byte*>(source);
  // Sources of small puts are copied by the transport, so none of these waits.
  for (size_t i = 0; i < blocks.n_blocks; ++i) {
    put_at(call, to, from, blocks.block_bytes, false);
    to.offset += blocks.to_step;
    from += blocks.from_step;
  }
}

namespace {

// Gets that are under way together: the round trips of up to kMost of them overlap.
class OverlappingGets {
 public:
  explicit OverlappingGets(const FarCall& call, int job_pe)
      : call_(call), way_(way_of(call.hot, job_pe)), wait_{*call.hot.world, job_pe, call.routine} {}

  void post(std::byte* dest, const Target& from, size_t nbytes) {
    if (count_ == kMost) {
      finish();
    }
    transport::Ticket& ticket = tickets_[count_++];
    ticket = {};
    check(*call_.hot.world,
          post_patiently(way_, wait_, [&] { return way_.post_get(dest, from, nbytes, &ticket); }),
          from.peer, call_.routine);
  }
  void finish() {
    const auto begin = tickets_.begin();
    const auto end = begin + static_cast<ptrdiff_t>(count_);
    const auto settled = [&] {
      return std::all_of(begin, end, [](const transport::Ticket& t) { return t.settled(); });
    };
    if (!settled()) {
      wait_([&] {
        way_.progress();
        return settled();
      });
    }
    for (auto ticket = begin; ticket != end; ++ticket) {
      if (const Errc code = ticket->error(); code != Errc::ok) {
        check(*call_.hot.world, fail(code, "get failed: {}", way_.trouble(wait_.pe)), wait_.pe,
              call_.routine);
      }
    }
    count_ = 0;
  }

 private:
  static constexpr size_t kMost = 64;
  const FarCall& call_;
  transport::Context& way_;
  const PostedWait wait_;
  std::array<transport::Ticket, kMost> tickets_;
  size_t count_ = 0;
};

}  // namespace

void far_get_strided(void* dest, const void* source, const StridedBlocks& blocks, int pe,
                     const char* routine, const Hot& called) {
  const Hot& hot = called.behind == nullptr ? called : guarded::strided(called, dest, source, blocks, false, pe, routine);
  if (nothing_to_move(blocks, pe, hot)) {
    return;
  }
  const FarCall call{hot, pe, routine};
  source = in_user_area(hot, source);
  if (const Remote near = reach_blocks(call, source, blocks, blocks.from_step); near.direct) {
    copy_here(static_cast<std::byte*>(dest), near.at, blocks);
    return;
  }
  Target from = locate_blocks(call, source, blocks, blocks.from_step);
  auto* to = static_cast<std::byte*>(dest);
  const auto each = [&](auto&& get_block) {
    for (size_t i = 0; i < blocks.n_blocks; ++i) {
      get_block();
      from.offset += blocks.from_step;
      to += blocks.to_step;
    }
  };
  if (in_kernel()) {
    each([&] { get_at(call, to, from, blocks.block_bytes, false); });
    return;
  }
  OverlappingGets gets(call, from.peer);
  each([&] { gets.post(to, from, blocks.block_bytes); });
  gets.finish();
}

void far_fence(const Hot& hot, const char* routine) {
  if (hot.far == nullptr) {
    return;
  }
  if (in_kernel()) {
    hot.far->requests().fence(routine);
  } else if (hot.context != nullptr) {
    for (const auto& way : hot.context->ways()) {
      way->fence();
    }
  } else {
    post_kernel_requests(*hot.world, routine);
    hot.far->fence();
  }
}

namespace {

void quiet_way(const Hot& hot, transport::Context& way, int job_pe, const char* routine) {
  const int pe = job_pe == transport::kAllPeers ? -1 : job_pe;
  const PostedWait wait{*hot.world, pe, routine};
  check(*hot.world, transport::quiet(way, job_pe, wait), pe, routine);
}

}  // namespace

void far_quiet(const Hot& hot, const char* routine) {
  if (hot.far == nullptr) {
    return;
  }
  if (in_kernel()) {
    hot.far->requests().quiet(routine);
    return;
  }
  if (hot.context != nullptr) {
    for (const auto& way : hot.context->ways()) {
      quiet_way(hot, *way, transport::kAllPeers, routine);
    }
  } else {
    post_kernel_requests(*hot.world, routine);
    for (const auto& way : hot.far->transports()) {
      quiet_way(hot, *way, transport::kAllPeers, routine);
    }
  }
  fetches_of(hot).hand_out();
}

void far_quiet_pes(const Hot& hot, std::span<const int> pes, const char* routine) {
  if (hot.far == nullptr) {
    return;
  }
  if (in_kernel()) {
    hot.far->requests().quiet(routine);
    return;
  }
  if (hot.context == nullptr) {
    post_kernel_requests(*hot.world, routine);
  }
  for (const int pe : pes) {
    const int there = job_pe(hot, pe);
    if (hot.far->way_to(there) != nullptr) {
      quiet_way(hot, way_of(hot, there), there, routine);
    }
  }
  fetches_of(hot).hand_out();
}

void far_poll() {
  if (FarPaths* far = current_hot().far) {
    far->progress();
  }
}

}  // namespace canopy::shmem
