#include "runtime/driver/event_log.h"

#include "runtime/driver/text_words.h"

#include <unistd.h>

#include <chrono>
#include <optional>

namespace canopy {

using host_table::EventEntry;
using host_table::kEvents;

namespace {

constexpr uint64_t writing(uint64_t number) { return 2 * number + 1; }
constexpr uint64_t whole(uint64_t number) { return 2 * number + 2; }

constexpr uint64_t packed(pid_t pid, int device, EventKind kind) {
  return static_cast<uint64_t>(static_cast<uint32_t>(pid)) << 32 |
         static_cast<uint64_t>(static_cast<uint16_t>(device + 1)) << 16 | static_cast<uint64_t>(kind);
}

// Not against anybody: against entries that two writers have written at a time.
uint64_t check_of(uint64_t number, const EventEntry& entry) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
  uint64_t sum = (number + 1) * kOdd;
  const auto mix = [&](const uint64_t& word) { sum = (sum ^ load_relaxed(&word)) * kOdd ^ sum >> 29; };
  mix(entry.time_ns);
  mix(entry.who);
  mix(entry.value);
  for (const uint64_t& word : entry.text.words) {
    mix(word);
  }
  return sum;
}

uint64_t wall_clock_ns() {
  return static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

// False when a newer event has the entry already: this writer slept while the ring went round.
bool claim(EventEntry& entry, uint64_t number) {
  std::atomic_ref stamp(entry.stamp);
  uint64_t seen = stamp.load(std::memory_order_relaxed);
  do {
    if (seen >= writing(number)) {
      return false;
    }
    // Acquire: what is written below stays behind the claim, for readers that see both.
  } while (!stamp.compare_exchange_weak(seen, writing(number), std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  return true;
}

std::optional<DeviceEvent> event_at(const EventEntry& entry, uint64_t number) {
  // Acquire: the words are those of this event; pairs with add().
  if (load_acquire(&entry.stamp) != whole(number)) {
    return std::nullopt;
  }
  DeviceEvent event;
  const uint64_t who = load_relaxed(&entry.who);
  event.number = number;
  event.time_ns = load_relaxed(&entry.time_ns);
  event.pid = static_cast<pid_t>(who >> 32);
  event.device = static_cast<int>(who >> 16 & 0xffff) - 1;
  event.kind = static_cast<EventKind>(who & 0xff);
  event.value = load_relaxed(&entry.value);
  event.text = get_text(entry.text);
  const bool mixed = load_relaxed(&entry.check) != check_of(number, entry);
  std::atomic_thread_fence(std::memory_order_acquire);  // the look below comes behind all above
  return mixed || load_relaxed(&entry.stamp) != whole(number) ? std::nullopt : std::optional(std::move(event));
}

}  // namespace

std::string_view to_string(EventKind kind) {
  constexpr std::string_view kNames[kEventKinds] = {"?",      "start",         "open",  "close",  "died", "fault",
                                                    "out of memory", "abort", "inject", "clear", "reset"};
  const auto at = static_cast<size_t>(kind);
  return kNames[at < kEventKinds ? at : 0];
}

void EventLog::add(EventKind kind, int device, uint64_t value, std::string_view text) const {
  // Relaxed: a number; the entry's stamp publishes.
  const uint64_t number =
      std::atomic_ref(area_->next_event).fetch_add(1, std::memory_order_relaxed);
  EventEntry& entry = area_->events[number % kEvents];
  if (!claim(entry, number)) {
    return;
  }
  // Behind the claim for all readers: who sees one of these words sees the stamp that is odd.
  std::atomic_thread_fence(std::memory_order_release);
  store_relaxed(&entry.time_ns, wall_clock_ns());
  store_relaxed(&entry.who, packed(::getpid(), device, kind));
  store_relaxed(&entry.value, value);
  put_text(&entry.text, text);
  store_relaxed(&entry.check, check_of(number, entry));
  uint64_t mine = writing(number);
  // Release: pairs with event_at(). A newer event that took the entry meanwhile keeps it.
  std::atomic_ref(entry.stamp)
      .compare_exchange_strong(mine, whole(number), std::memory_order_release, std::memory_order_relaxed);
}

EventLog::Reading EventLog::read() const {
  Reading reading;
  const uint64_t end = load_relaxed(&area_->next_event);
  reading.overwritten = end > kEvents ? end - kEvents : 0;
  for (uint64_t number = reading.overwritten; number < end; ++number) {
    if (auto event = event_at(area_->events[number % kEvents], number)) {
      reading.events.push_back(std::move(*event));
    } else {
      ++reading.holes;
    }
  }
  return reading;
}

}  // namespace canopy
