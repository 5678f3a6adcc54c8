#include "runtime/base/doorbell.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

namespace canopy {
namespace {

// What this process may ask membarrier for; registration is once per process image.
struct Membarrier {
  bool process_scope;
  bool host_scope;

  Membarrier() {
    process_scope =
        ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    host_scope = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  }
};

const Membarrier& support() {
  static const Membarrier instance;
  return instance;
}

constexpr std::chrono::nanoseconds kNapWithoutMembarrier = std::chrono::milliseconds(1);

// futex_waitv (Linux 5.16), spelled out: older C libraries do not know it.
struct FutexWaiter {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
constexpr long kSysFutexWaitv = 449;  // on all architectures
constexpr uint32_t kFutex32Bits = 2;
constexpr uint32_t kFutexPrivate = 128;

// Until one of the words has changed, or somebody wakes; false where the system call is missing.
bool futex_wait_both(uint32_t* own, uint32_t own_seen, uint32_t* shared, uint32_t shared_seen,
                     std::chrono::nanoseconds limit) {
  FutexWaiter waiters[2] = {{own_seen, reinterpret_cast<uintptr_t>(own), kFutex32Bits | kFutexPrivate, 0},
                            {shared_seen, reinterpret_cast<uintptr_t>(shared), kFutex32Bits, 0}};
  timespec until{};
  timespec* timeout = nullptr;
  if (limit != std::chrono::nanoseconds::max()) {
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t at = until.tv_nsec + std::max<int64_t>(limit.count(), 0);
    until.tv_sec += at / 1'000'000'000;
    until.tv_nsec = at % 1'000'000'000;
    timeout = &until;
  }
  const long result = ::syscall(kSysFutexWaitv, waiters, 2, 0, timeout, CLOCK_MONOTONIC);
  return result >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL);
}

}  // namespace

namespace doorbell_detail {
bool producer_fences = !support().process_scope;
}

bool membarrier(BellScope scope) {
  if (scope == BellScope::process) {
    return support().process_scope &&
           ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
  }
  return support().host_scope &&
         ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

void futex_wait(uint32_t* word, uint32_t expected, BellScope scope, std::chrono::nanoseconds limit) {
  timespec ts{};
  timespec* timeout = nullptr;
  if (limit != std::chrono::nanoseconds::max()) {
    const auto count = std::max<int64_t>(limit.count(), 0);
    ts.tv_sec = count / 1'000'000'000;
    ts.tv_nsec = count % 1'000'000'000;
    timeout = &ts;
  }
  const int op = scope == BellScope::process ? FUTEX_WAIT_PRIVATE : FUTEX_WAIT;
  ::syscall(SYS_futex, word, op, expected, timeout, nullptr, 0);
}

void futex_wake(uint32_t* word, int count, BellScope scope) {
  const int op = scope == BellScope::process ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
  ::syscall(SYS_futex, word, op, count, nullptr, nullptr, 0);
}

uint32_t Doorbell::announce(BellScope scope) {
  // seq_cst: the first half of the store-load pair; the membarrier below covers the producers.
  std::atomic_ref<uint32_t>(sleepers).fetch_add(1, std::memory_order_seq_cst);
  membarrier(scope);
  // Acquire: a ring after this read changes the word, and futex_wait then returns at once.
  return std::atomic_ref<uint32_t>(sequence).load(std::memory_order_acquire);
}

void Doorbell::block(BellScope scope, uint32_t seen, std::chrono::nanoseconds limit) {
  if (scope == BellScope::host && !support().host_scope) {
    limit = std::min(limit, kNapWithoutMembarrier);
  }
  futex_wait(&sequence, seen, scope, limit);
}

void Doorbell::block_on_both(Doorbell& shared, uint32_t seen, uint32_t seen_shared, std::chrono::nanoseconds limit) {
  if (!support().host_scope) {
    limit = std::min(limit, kNapWithoutMembarrier);
  }
  if (!futex_wait_both(&sequence, seen, &shared.sequence, seen_shared, limit)) {
    futex_wait(&sequence, seen, BellScope::process, std::min(limit, kNapWithoutMembarrier));
  }
}

void Doorbell::retire() {
  // Relaxed: a producer that still sees the sleeper only makes a wake nobody needs.
  std::atomic_ref<uint32_t>(sleepers).fetch_sub(1, std::memory_order_relaxed);
}

void Doorbell::wake(BellScope scope) {
  // Release: pairs with the acquire in announce(), so a late sleeper sees the data with the number.
  std::atomic_ref<uint32_t>(sequence).fetch_add(1, std::memory_order_release);
  futex_wake(&sequence, INT_MAX, scope);
}

}  // namespace canopy
