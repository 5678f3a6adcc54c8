// ObserverPage: who looks at what the executors of this process do. One word, which every block reads.
//
// The page belongs to the program's own data, so that the word is found without a pointer; from the first
// device on the first page of the file of engine_stats.h lies over it, so that other processes of this user
// can raise the word, too.
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy {

struct alignas(4096) ObserverPage {
  static constexpr uint64_t kMagic = 0x73746174536e6343;  // "CcnStats" in the file
  static constexpr uint32_t kVersion = 1;
  enum Observer : uint32_t {
    kTimeline = 1,  // a trace is being recorded
    kClocks = 2,    // the clocks of cores run for this process, from now on
    kWatched = 4,   // they run for another process, until watched_until_ns
  };

  uint64_t magic;
  uint32_t version;
  uint32_t entries;
  // On a line of its own with what changes as seldom.
  alignas(kCacheLine) std::atomic<uint32_t> observers;
  // Of monotonic_ns(). The last of several who watch takes kWatched back; one that was killed leaves it to the next.
  std::atomic<uint64_t> watched_until_ns;
};
static_assert(sizeof(ObserverPage) == 4096);
static_assert(offsetof(ObserverPage, observers) == 64);

inline ObserverPage g_observer_page;  // zero

}  // namespace canopy
