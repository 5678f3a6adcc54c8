#include "shmem/sync/lock.h"

#include "shmem/amo/amo.h"
#include "shmem/sync/compare.h"
#include "shmem/sync/left_watch.h"
#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <atomic>
#include <cstdint>

namespace canopy::shmem {
namespace {

struct LockWord {
  uint32_t tail;
  uint32_t own;
};
static_assert(sizeof(LockWord) == sizeof(long) && alignof(LockWord) <= alignof(long),
              "both halves lie in the program's long");

constexpr uint32_t kSuccessor = (1u << 30) - 1;
constexpr uint32_t kHeld = 1u << 30;
constexpr uint32_t kGranted = 1u << 31;

// The library's own atomics are nobody's operations.
struct Uncounted {
  static void count(Op) {}
};

// A lock as this PE sees it.
class Lock {
 public:
  Lock(long* lock, const char* routine)
      : hot_(current_hot()), word_(reinterpret_cast<LockWord*>(in_user_area(hot_, lock))), routine_(routine) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(word_) - hot_.base;
    if (hot_.world == nullptr || offset >= hot_.bytes || offset % alignof(long) != 0) {
      bad_target(hot_, lock, 1, sizeof(long), hot_.world == nullptr ? 0 : hot_.my_pe, routine);
    }
    // Objects start at lines of 64 bytes: neighbours in an array of locks get different homes.
    home_ = static_cast<int>((offset / sizeof(long) + offset / 64) % hot_.n_pes);
  }

  World& world() const { return *hot_.world; }
  int home() const { return home_; }
  uint32_t me() const { return static_cast<uint32_t>(hot_.my_pe) + 1; }

  // Acquire: what the PE before stored is visible to who reads its grant; pairs with the add in
  // grant().
  uint32_t own() const { return load_acquire(&word_->own); }
  // An atomic of its own, because a successor may add itself at any time. Relaxed: this PE's note
  // to itself.
  void hold() const {
    std::atomic_ref<uint32_t>(word_->own).fetch_or(kHeld, std::memory_order_relaxed);
  }
  // Relaxed: the next that reads it is this PE, or comes after an atomic on tail.
  void forget() const { store_relaxed(&word_->own, 0); }

  uint32_t swap_tail() const { return on_tail<AmoOp::swap>(me(), 0); }
  uint32_t change_tail(uint32_t from, uint32_t to) const {
    return on_tail<AmoOp::compare_swap>(to, from);
  }
  void tell(int pe, uint32_t bits) const {
    amo<Uncounted, AmoOp::add>(hot_, &word_->own, bits, 0u, pe, routine_);
  }

  // Until this PE's own word has one of these bits, which `pe` brings about.
  void wait_for_bits(uint32_t bits, int pe) const {
    LeftWatch watch(world(), pe);
    bool left = false;
    const auto come = [&] { return (own() & bits) != 0; };
    // It may have granted the lock before it left.
    wait_for(
        world(), world().bell(), [&] { return come() || (left = watch.left()); }, watch.waker(),
        routine_,
        [&] {
          return fmt::format("pe {} waits for the lock at {}, behind PE {} ({}; its own half is {:#x}, wanted is {:#x})",
                             world().my_pe(), fmt::ptr(word_), pe, routine_, own(), bits);
        });
    if (left && !come()) {
      misuse(fmt::format("PE {} has finalized with the lock at {}, for which this PE waits", pe,
                         fmt::ptr(word_)));
    }
  }

  [[noreturn]] void misuse(const std::string& what) const {
    world().fail_job(kMisuseStatus, fmt::format("pe {}: {}: {}", world().my_pe(), routine_, what));
  }

 private:
  // As amo(), but nobody waits for a tail: the home PE's bell stays still, which may be asleep for
  // something else.
  template <AmoOp kOp>
  uint32_t on_tail(uint32_t value, uint32_t compare) const {
    if (const Remote to = translate_one(hot_, &word_->tail, home_); to.direct) [[likely]] {
      std::atomic_ref<uint32_t> tail(*reinterpret_cast<uint32_t*>(to.at));
      return change_word<kOp>(tail, value, compare);
    }
    return amo_far(&word_->tail, kOp, value, compare, home_, routine_, hot_);
  }

  const Hot& hot_;
  LockWord* const word_;
  const char* const routine_;
  int home_ = 0;
};

}  // namespace

void set_lock(long* address, const char* routine) {
  const Lock lock(address, routine);
  const uint32_t before = (lock.own() & kHeld) != 0 ? lock.me() : lock.swap_tail();
  if (before == lock.me()) {
    lock.misuse(
        fmt::format("this PE holds the lock at {} already, or another of its threads waits "
                    "for it",
                    fmt::ptr(address)));
  }
  if (before != 0) {
    const int ahead = static_cast<int>(before) - 1;
    lock.tell(ahead, lock.me());
    lock.wait_for_bits(kGranted, ahead);
  }
  lock.hold();
}

bool test_lock(long* address, const char* routine) {
  const Lock lock(address, routine);
  if ((lock.own() & kHeld) != 0 || lock.change_tail(0, lock.me()) != 0) {
    return false;
  }
  lock.hold();
  return true;
}

void clear_lock(long* address, const char* routine) {
  const Lock lock(address, routine);
  if ((lock.own() & kHeld) == 0) {
    lock.misuse(fmt::format("this PE does not hold the lock at {}", fmt::ptr(address)));
  }
  quiet(routine);
  if ((lock.own() & kSuccessor) == 0) {
    const uint32_t last = lock.change_tail(lock.me(), 0);
    if (last == lock.me()) {
      lock.forget();
      return;
    }
    // Somebody has put itself behind us, and is about to say so.
    lock.wait_for_bits(kSuccessor, static_cast<int>(last) - 1);
  }
  const int next = static_cast<int>(lock.own() & kSuccessor) - 1;
  lock.forget();
  lock.tell(next, kGranted);
}

}  // namespace canopy::shmem
