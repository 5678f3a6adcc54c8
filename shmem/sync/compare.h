// wait_until and test on one word of this PE, and fence and quiet: shared by all public names.
#pragma once

#include "shmem/rma/rma.h"
#include "shmem/sync/wait.h"

namespace canopy::shmem {

enum class Compare : uint8_t { eq, ne, lt, le, gt, ge };

const char* symbol_of(Compare compare);
// Ends the job: `cmp` is none of the constants.
[[noreturn, gnu::cold]] void bad_compare(int cmp, const char* routine);
[[noreturn, gnu::cold]] void bad_signal_change(int sig_op, const char* routine);
// The current World; ends the process with a sentence when there is none.
World& world_for(const char* routine);
// This PE's bell.
Doorbell& bell_of(World& world);
// The sentence of a wait; out of line, because it is needed once a minute.
std::string describe_wait(const World& world, const void* word, const std::string& value,
                          Compare compare, const std::string& now, size_t bytes, const char* routine);
// Debug mode: ends the job when `nelems` words of `bytes` are none to wait for.
[[gnu::cold]] void check_awaited(World& world, const void* words, size_t nelems, size_t bytes, const char* routine);

template <class T>
inline bool holds(T now, Compare compare, T value) {
  switch (compare) {
    case Compare::eq:
      return now == value;
    case Compare::ne:
      return now != value;
    case Compare::lt:
      return now < value;
    case Compare::le:
      return now <= value;
    case Compare::gt:
      return now > value;
    case Compare::ge:
      return now >= value;
  }
  return false;
}

constexpr AwaitedWord::Test test_of(Compare compare) {
  switch (compare) {
    case Compare::eq:
      return AwaitedWord::Test::equal;
    case Compare::ne:
      return AwaitedWord::Test::not_equal;
    case Compare::lt:
      return AwaitedWord::Test::below;
    case Compare::le:
      return AwaitedWord::Test::at_most;
    case Compare::gt:
      return AwaitedWord::Test::above;
    case Compare::ge:
      return AwaitedWord::Test::at_least;
  }
  return AwaitedWord::Test::equal;
}

template <class T>
[[gnu::noinline]] void wait_long(const T* word, Compare compare, T value, T* seen, const char* routine) {
  World& world = world_for(routine);
  check_awaited(world, word, 1, sizeof(T), routine);
  [[maybe_unused]] AwaitedWord awaited{};
  const AwaitedWord* shown = nullptr;
  if constexpr (std::is_integral_v<T>) {  // reports print whole numbers
    awaited = {word, static_cast<uint64_t>(value), sizeof(T), test_of(compare), std::is_signed_v<T>};
    shown = &awaited;
  }
  wait_for(
      world, bell_of(world),
      [&] {
        *seen = transport::direct::load(word);
        return holds(*seen, compare, value);
      },
      WakenBy::anyone, routine,
      [&] {
        return describe_wait(world, word, fmt::format("{}", value), compare,
                             fmt::format("{}", *seen), sizeof(T), routine);
      },
      shown);
}

// Returns the value that satisfied the condition; what the writer ordered before it is visible.
template <class Side, class T>
inline T wait_until(T* word, Compare compare, T value, const char* routine) {
  Side::count(Op::wait);
  // Acquire (in load()): pairs with the release of put_signal, and with the fence before a p.
  T seen = transport::direct::load(word);
  if (!holds(seen, compare, value)) {
    wait_long(word, compare, value, &seen, routine);
  }
  return seen;
}

// A failed test makes progress: programs wait in loops of their own.
template <class T>
[[gnu::cold, gnu::noinline]] bool test_after_poll(const T* word, Compare compare, T value) {
  far_poll();
  return holds(transport::direct::load(word), compare, value);
}
template <class T>
inline bool test(const T* word, Compare compare, T value) {
  if (holds(transport::direct::load(word), compare, value)) {
    return true;
  }
  return any_far() && test_after_poll(word, compare, value);
}

}  // namespace canopy::shmem
