// TraceBuffer: what one executor did, for the timeline. Written by its executor only, and only while
// a trace is being recorded; read after recording has stopped.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/device/observer_page.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

namespace canopy {

struct TraceEvent {
  const char* name;  // stays valid for the life of the process, or of the module that said it
  uint64_t begin;    // ticks()
  uint64_t end;
  int32_t device;
  uint32_t track;    // DeviceCores::track()
  int32_t block;     // of a kernel; -1: not a block
};

class TraceBuffer {
 public:
  // One relaxed load when nothing is recorded.
  static bool recording() { return (observers() & ObserverPage::kTimeline) != 0; }
  static void set_recording(bool on) {
    std::atomic<uint32_t>& word = g_observer_page.observers;
    on ? word.fetch_or(ObserverPage::kTimeline, std::memory_order_relaxed)
       : word.fetch_and(~uint32_t{ObserverPage::kTimeline}, std::memory_order_relaxed);
  }
  // From here on the clocks of cores (core_clocks.h) run.
  static void watch_cores() { g_observer_page.observers.fetch_or(ObserverPage::kClocks, std::memory_order_relaxed); }
  // For this process or another.
  static bool cores_watched() { return (observers() & (ObserverPage::kClocks | ObserverPage::kWatched)) != 0; }
  // Any of these.
  static bool observed() { return observers() != 0; }

  void add(const TraceEvent& event) {
    std::lock_guard lock(mutex_);  // uncontended: readers come when recording is over
    events_.push_back(event);
  }
  std::deque<TraceEvent> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  static uint32_t observers() { return g_observer_page.observers.load(std::memory_order_relaxed); }
  std::mutex mutex_;
  std::deque<TraceEvent> events_;
};

// Records [construction, destruction) on a track, if a trace is being recorded.
class TraceScope {
 public:
  TraceScope(const char* name, int32_t device, uint32_t track, int32_t block)
      : event_{name, TraceBuffer::recording() ? ticks() : 0, 0, device, track, block} {}
  ~TraceScope() {
    if (event_.begin != 0 && TraceBuffer::recording()) [[unlikely]] {
      finish();
    }
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  void finish();
  TraceEvent event_;
};

}  // namespace canopy
