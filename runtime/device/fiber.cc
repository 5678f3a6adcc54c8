#include "runtime/device/fiber.h"

#include "runtime/base/check.h"
#include "runtime/base/mapping.h"
#include "runtime/device/launch.h"

#include <boost/context/detail/fcontext.hpp>
#include <cxxabi.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace canopy {

namespace context = boost::context::detail;

namespace {
// A function with large arrays touches the lowest first: it is not to step over the guard into another block's stack.
// Addresses cost nothing, but where they are limited (ulimit -v), or a sanitizer keeps a shadow of them.
size_t guard_bytes() {
  constexpr size_t kWide = 16u << 20;
  constexpr size_t kNarrow = 64u << 10;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return kNarrow;
#else
  rlimit addresses{};
  const bool limited = ::getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY;
  return limited ? kNarrow : kWide;
#endif
}
}  // namespace

// Out of line and opaque: the thread is another one after a switch.
namespace {
// The C++ runtime looks its place up with every call.
[[gnu::tls_model("initial-exec")]] thread_local void* t_exceptions = nullptr;
inline void* exceptions_of_thread() {
  if (t_exceptions == nullptr) [[unlikely]] {
    t_exceptions = abi::__cxa_get_globals();
  }
  return t_exceptions;
}
}  // namespace
[[gnu::noinline]] void ExceptionState::save() { std::memcpy(this, exceptions_of_thread(), sizeof *this); }
[[gnu::noinline]] void ExceptionState::restore() const { std::memcpy(exceptions_of_thread(), this, sizeof *this); }

struct FiberEntry {
  // First code on a fresh stack.
  static void start(context::transfer_t transfer) {
    auto** pair = static_cast<Fiber**>(transfer.data);
    Fiber* from = pair[0];
    Fiber* self = pair[1];
    arrive(transfer, from, self);
    self->entry_();
    CHECK(false, "a fiber's entry must not return");
  }

  // Runs on the fiber that was switched to: what is left of leaving `from`.
  static void arrive(context::transfer_t transfer, Fiber* from, Fiber* self) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self->sanitizer_, nullptr, nullptr);
#endif
    self->exceptions_.restore();
    from->context_ = transfer.fctx;
    // Release: the saved context is visible to whoever finds the fiber parked.
    from->parked_.store(true, std::memory_order_release);
  }
};

Fiber::Fiber() {
#if defined(__SANITIZE_THREAD__)
  sanitizer_ = __tsan_get_current_fiber();
#endif
#if defined(__SANITIZE_ADDRESS__)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void* low = nullptr;
    pthread_attr_getstack(&attributes, &low, &stack_bytes_);
    stack_ = static_cast<std::byte*>(low);
    pthread_attr_destroy(&attributes);
  }
#endif
}

Fiber::Fiber(std::byte* mapping, size_t mapping_bytes, std::byte* stack, size_t stack_bytes, Entry entry)
    : mapping_(mapping), mapping_bytes_(mapping_bytes), stack_(stack), stack_bytes_(stack_bytes) {
#if defined(__SANITIZE_THREAD__)
  sanitizer_ = __tsan_create_fiber(0);
#endif
  note_.context = &context_;
  note_.parked = &parked_;
  rewind(entry);
  add_note(&note_);
}

Result<std::unique_ptr<Fiber>> Fiber::create(size_t stack_bytes, Entry entry) {
  const size_t page = page_size();
  stack_bytes = (stack_bytes + page - 1) / page * page;
  const size_t guard = std::max(guard_bytes(), page);
  const size_t total = stack_bytes + guard;
  void* raw = ::mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot map a block's stack of {} bytes", stack_bytes);
  }
  auto* low = static_cast<std::byte*>(raw);
  if (::mprotect(low + guard, stack_bytes, PROT_READ | PROT_WRITE) != 0) {
    const int err = errno;
    ::munmap(raw, total);
    return fail_errno(Errc::no_memory, err, "cannot open a block's stack of {} bytes", stack_bytes);
  }
  return std::unique_ptr<Fiber>(new Fiber(low, total, low + guard, stack_bytes, entry));
}

Fiber::~Fiber() {
  if (mapping_ != nullptr) {
    remove_note(&note_);
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(sanitizer_);
#endif
    ::munmap(mapping_, mapping_bytes_);
  }
}

void Fiber::rewind(Entry entry) {
#if defined(__SANITIZE_ADDRESS__)
  // What ran here before, or what was mapped here before, left its frames poisoned.
  __asan_unpoison_memory_region(stack_, stack_bytes_);
#endif
  entry_ = entry;
  exceptions_ = {};
  context_ = context::make_fcontext(stack_ + stack_bytes_, stack_bytes_, &FiberEntry::start);
  // Relaxed: nobody else can reach the fiber now.
  parked_.store(true, std::memory_order_relaxed);
  block = nullptr;
  poll = nullptr;
  end_wait();
#if defined(__SANITIZE_ADDRESS__)
  sanitizer_ = nullptr;
#endif
}

void Fiber::rewind_abandoned(Entry entry) {
#if defined(__SANITIZE_THREAD__)
  // TSan's own stack of calls still has those that never returned; it would overflow in the end.
  __tsan_destroy_fiber(sanitizer_);
  sanitizer_ = __tsan_create_fiber(0);
#endif
  rewind(entry);
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
  // Relaxed: only the thread that runs the fiber clears it; others wait for the release of true.
  to.parked_.store(false, std::memory_order_relaxed);
  from.exceptions_.save();
  Fiber* pair[2] = {&from, &to};
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.sanitizer_, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.sanitizer_, to.stack_, to.stack_bytes_);
#endif
  const context::transfer_t transfer = context::jump_fcontext(to.context_, pair);
  // Back again, possibly on another thread: whoever switched here is now parked.
  auto** back = static_cast<Fiber**>(transfer.data);
  FiberEntry::arrive(transfer, back[0], &from);
}

FiberPool::~FiberPool() = default;

Fiber* FiberPool::take() {
  const auto fiber = try_take();
  CHECK(fiber, "raise the address space limit (ulimit -v) or vm.max_map_count, or launch fewer blocks");
  return *fiber;
}

Result<Fiber*> FiberPool::try_take() {
  if (free_ != nullptr) {
    Fiber* fiber = free_;
    free_ = fiber->next;
    fiber->next = nullptr;
    return fiber;
  }
  CANOPY_ASSIGN(std::unique_ptr<Fiber> fresh, Fiber::create(stack_bytes_, entry_));
  all_.push_back(std::move(fresh));
  return all_.back().get();
}

// Relaxed but for the last one: whoever sees that there is a wait sees whose it is; pairs with describe_waits().
void Fiber::begin_wait(const char* what, const WordFacts& facts) {
  if (block == nullptr) {
    note_.kernel.store(nullptr, std::memory_order_relaxed);
    note_.block.store(static_cast<uint32_t>(stream), std::memory_order_relaxed);
  } else {
    const Launch& launch = *block->launch;
    note_.kernel.store(launch.image->trace_name, std::memory_order_relaxed);
    note_.block.store(block->index, std::memory_order_relaxed);
    note_.blocks.store(launch.blocks, std::memory_order_relaxed);
  }
  note_.address.store(facts.address, std::memory_order_relaxed);
  note_.wanted.store(facts.wanted, std::memory_order_relaxed);
  note_.word.store(facts.bytes | static_cast<uint32_t>(facts.test) << 8 | uint32_t{facts.is_signed} << 16,
                   std::memory_order_relaxed);
  note_.what.store(what, std::memory_order_release);
}

void FiberPool::give(Fiber* fiber) {
  fiber->next = free_;
  free_ = fiber;
}

}  // namespace canopy
