// Waits and tests on arrays of words of this PE: all, any, some; one value for all or one for each.
//
// An element whose status is not 0 takes no part. any and some begin each call at another element,
// so that one which stays satisfied does not keep the others from being reported.
#pragma once

#include "shmem/sync/compare.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

template <class T>
struct Words {
  const T* ivars;
  size_t nelems;
  const int* status;  // null: all take part
  Compare compare;
  const T* values;
  bool one_for_all;  // values[0] for every element

  bool takes_part(size_t i) const { return status == nullptr || status[i] == 0; }
  T value(size_t i) const { return values[one_for_all ? 0 : i]; }
  // Acquire (in load()): as wait_until().
  bool holds_at(size_t i) const {
    return holds(transport::direct::load(ivars + i), compare, value(i));
  }
  bool empty() const {
    for (size_t i = 0; i < nelems; ++i) {
      if (takes_part(i)) {
        return false;
      }
    }
    return true;
  }
};

// Where a scan of `nelems` begins: another place in each call of the thread.
size_t next_start(size_t nelems);

// ---- One look.

template <class T>
bool all_hold(const Words<T>& words) {
  for (size_t i = 0; i < words.nelems; ++i) {
    if (words.takes_part(i) && !words.holds_at(i)) {
      return false;
    }
  }
  return true;
}

// SIZE_MAX: none.
template <class T>
size_t any_holds(const Words<T>& words, size_t start) {
  for (size_t n = 0, i = start; n < words.nelems; ++n, i = i + 1 == words.nelems ? 0 : i + 1) {
    if (words.takes_part(i) && words.holds_at(i)) {
      return i;
    }
  }
  return SIZE_MAX;
}

template <class T>
size_t some_hold(const Words<T>& words, size_t* indices) {
  size_t count = 0;
  for (size_t i = 0; i < words.nelems; ++i) {
    if (words.takes_part(i) && words.holds_at(i)) {
      indices[count++] = i;
    }
  }
  return count;
}

// ---- Tests. One that fails makes progress, and looks again.

template <class Look>
auto look_twice(Look&& look, decltype(look()) nothing) {
  const auto seen = look();
  if (seen == nothing && any_far()) [[unlikely]] {
    far_poll();
    return look();
  }
  return seen;
}

template <class T>
[[gnu::noinline]] int test_all_of(const Words<T>& words) {
  return look_twice([&] { return all_hold(words); }, false) ? 1 : 0;
}
template <class T>
[[gnu::noinline]] size_t test_any_of(const Words<T>& words) {
  const size_t start = next_start(words.nelems);
  return look_twice([&] { return any_holds(words, start); }, SIZE_MAX);
}
template <class T>
[[gnu::noinline]] size_t test_some_of(const Words<T>& words, size_t* indices) {
  return look_twice([&] { return some_hold(words, indices); }, size_t{0});
}

// ---- Waits. With no element that takes part there is nothing to wait for.

std::string describe_set(const World& world, const void* words, size_t nelems, size_t bytes, Compare compare,
                         const std::string& value, const std::string& now, const char* routine);

// The values of those that take part; of many, the first.
template <class T>
[[gnu::cold, gnu::noinline]] std::string values_now(const Words<T>& words) {
  constexpr size_t kShown = 16;
  std::string text;
  size_t shown = 0;
  for (size_t i = 0; i < words.nelems; ++i) {
    if (!words.takes_part(i)) {
      continue;
    }
    if (shown++ == kShown) {
      return text + ", ...";
    }
    text += fmt::format("{}{}", text.empty() ? "" : ", ", transport::direct::load(words.ivars + i));
    if (!words.one_for_all) {
      text += fmt::format(" (wanted {})", words.value(i));
    }
  }
  return text;
}

template <class T, class Ready>
void wait_for_set(const Words<T>& words, Ready&& ready, const char* routine) {
  World& world = world_for(routine);
  check_awaited(world, words.ivars, words.nelems, sizeof(T), routine);
  wait_for(world, bell_of(world), ready, WakenBy::anyone, routine, [&] {
    return describe_set(world, words.ivars, words.nelems, sizeof(T), words.compare,
                        words.one_for_all ? fmt::format("{}", words.values[0]) : "its own value",
                        values_now(words), routine);
  });
}

// One after the other: each has satisfied the comparison, not necessarily all in one moment.
template <class T>
[[gnu::noinline]] void wait_all_of(const Words<T>& words, const char* routine) {
  for (size_t i = 0; i < words.nelems; ++i) {
    if (words.takes_part(i) && !words.holds_at(i)) {
      T seen{};
      wait_long(words.ivars + i, words.compare, words.value(i), &seen, routine);
    }
  }
}
template <class T>
[[gnu::noinline]] size_t wait_any_of(const Words<T>& words, const char* routine) {
  const size_t start = next_start(words.nelems);
  size_t found = any_holds(words, start);
  if (found == SIZE_MAX && !words.empty()) {
    wait_for_set(
        words, [&] { return (found = any_holds(words, start)) != SIZE_MAX; }, routine);
  }
  return found;
}
template <class T>
[[gnu::noinline]] size_t wait_some_of(const Words<T>& words, size_t* indices, const char* routine) {
  size_t count = some_hold(words, indices);
  if (count == 0 && !words.empty()) {
    wait_for_set(
        words, [&] { return (count = some_hold(words, indices)) != 0; }, routine);
  }
  return count;
}

}  // namespace canopy::shmem
