#include "runtime/driver/event_log.h"

#include "runtime/driver/text_words.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

namespace canopy {

using host_table::EventEntry;
using host_table::kEvents;
using host_table::kEventsOfOne;

namespace {

constexpr uint64_t writing(uint64_t number) { return 2 * number + 1; }
constexpr uint64_t whole(uint64_t number) { return 2 * number + 2; }
constexpr uint64_t number_of(uint64_t whole_stamp) { return whole_stamp / 2 - 1; }

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

// `event` is whole; the entry's own words are in everybody's reach.
void write(EventEntry& entry, uint64_t number, const EventEntry& event) {
  if (!claim(entry, number)) {
    return;
  }
  // Behind the claim for all readers: who sees one of these words sees the stamp that is odd.
  std::atomic_thread_fence(std::memory_order_release);
  store_relaxed(&entry.time_ns, event.time_ns);
  store_relaxed(&entry.who, event.who);
  store_relaxed(&entry.value, event.value);
  for (size_t i = 0; i < std::size(entry.text.words); ++i) {
    store_relaxed(&entry.text.words[i], event.text.words[i]);
  }
  store_relaxed(&entry.check, event.check);
  uint64_t mine = writing(number);
  // Release: pairs with event_at(). A newer event that took the entry meanwhile keeps it.
  std::atomic_ref(entry.stamp)
      .compare_exchange_strong(mine, whole(number), std::memory_order_release, std::memory_order_relaxed);
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
  add_of(::getpid(), kind, device, value, text);
}

void EventLog::add_of(pid_t pid, EventKind kind, int device, uint64_t value, std::string_view text) const {
  // Relaxed, both: numbers; the entries' stamps publish.
  const uint64_t number = std::atomic_ref(area_->next_event).fetch_add(1, std::memory_order_relaxed);
  EventEntry event{};
  event.time_ns = wall_clock_ns();
  event.who = packed(pid, device, kind);
  event.value = value;
  put_text(&event.text, text);
  event.check = check_of(number, event);
  if (device >= 0 && static_cast<size_t>(device) < host_table::kDeviceRecords) {
    host_table::EventRing& ring = area_->rings[device];
    const uint64_t at = std::atomic_ref(ring.events_begun).fetch_add(1, std::memory_order_relaxed);
    write(ring.events[at % kEventsOfOne], number, event);
  }
  write(area_->events[number % kEvents], number, event);
}

EventLog::Reading EventLog::read() const {
  Reading reading;
  const uint64_t end = load_relaxed(&area_->next_event);
  const uint64_t window = end - std::min<uint64_t>(end, kEvents);  // of what the ring of all can hold
  std::vector<DeviceEvent>& events = reading.events;
  for (uint64_t number = window; number < end; ++number) {
    if (auto event = event_at(area_->events[number % kEvents], number)) {
      events.push_back(std::move(*event));
    }
  }
  for (size_t device = 0; device < host_table::kDeviceRecords; ++device) {
    const host_table::EventRing& ring = area_->rings[device];
    Reading::OfOne& one = reading.of_device[device];
    one.begun = load_relaxed(&ring.events_begun);
    one.holes = std::min<uint64_t>(one.begun, kEventsOfOne);
    for (const EventEntry& entry : ring.events) {
      const uint64_t stamp = load_relaxed(&entry.stamp);  // event_at() asks again
      auto event = stamp != 0 && stamp % 2 == 0 ? event_at(entry, number_of(stamp)) : std::nullopt;
      one.holes -= event && one.holes != 0 ? 1 : 0;
      if (event && event->number < end) {
        events.push_back(std::move(*event));
      }
    }
  }
  const auto number = [](const DeviceEvent& event) { return event.number; };
  std::ranges::sort(events, {}, number);
  const auto twice = std::ranges::unique(events, {}, number);
  events.erase(twice.begin(), twice.end());
  const auto found = static_cast<uint64_t>(std::ranges::count_if(events, [&](const DeviceEvent& event) { return event.number >= window; }));
  reading.holes = end - window - found;
  reading.overwritten = end - events.size() - reading.holes;
  return reading;
}

EventLog::Reading EventLog::Reading::only(int device) const {
  Reading reading;
  std::ranges::copy_if(events, std::back_inserter(reading.events),
                       [&](const DeviceEvent& event) { return event.device == device; });
  if (device >= 0 && static_cast<size_t>(device) < of_device.size()) {
    const OfOne& one = of_device[static_cast<size_t>(device)];
    reading.of_device[static_cast<size_t>(device)] = one;
    reading.holes = one.holes;
    reading.overwritten = one.begun - std::min(one.begun, reading.events.size() + one.holes);
  }
  return reading;
}

}  // namespace canopy
