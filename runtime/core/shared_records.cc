#include "runtime/core/shared_records.h"

#include "runtime/base/check.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <iterator>

namespace canopy {

using Page = SharedEventPage;

namespace {
constexpr uint64_t slot_bit(uint32_t slot) { return uint64_t{1} << (slot % 64); }
}  // namespace

uint64_t SharedRecords::newest() const { return std::atomic_ref(page_->newest).load(std::memory_order_acquire); }

Page::Phase SharedRecords::phase_of(uint64_t number) const {
  // seq_cst, acquire part: what the recording stream did before is visible.
  const uint64_t word = std::atomic_ref(page_->record(number)).load(std::memory_order_seq_cst);
  // A later record's: this one was over before.
  return Page::number_of(word) == number ? Page::phase_of(word) : Page::kDone;
}

// ---- A record begins.

// The first number behind `last` whose word is not that of a pending record. `taken`: somebody has it by now.
std::optional<uint64_t> SharedRecords::free_number_behind(uint64_t last, bool& taken) const {
  for (uint64_t number = last + 1; number <= last + Page::kRecords; ++number) {
    const uint64_t seen = std::atomic_ref(page_->record(number)).load(std::memory_order_acquire);
    taken = Page::number_of(seen) == number;
    // A number further on: `last` is not the newest any more, or the page was scribbled on.
    if (taken || (Page::number_of(seen) < number && Page::phase_of(seen) != Page::kPending)) {
      return number;
    }
  }
  return std::nullopt;
}

// Whether this moves it, or somebody who helped. Release: who reads the number finds the word.
void SharedRecords::raise_newest(uint64_t number) {
  std::atomic_ref newest(page_->newest);
  uint64_t last = newest.load(std::memory_order_acquire);
  while (last < number && !newest.compare_exchange_weak(last, number, std::memory_order_acq_rel)) {
  }
}

std::optional<uint64_t> SharedRecords::begin() {
  for (;;) {
    const uint64_t last = newest();
    if (last > Page::kMostNumber) {
      return std::nullopt;  // numbers would wrap here, and never come to an end
    }
    bool taken = false;
    const std::optional<uint64_t> number = free_number_behind(last, taken);
    if (!number) {
      if (newest() == last) {
        return std::nullopt;
      }
      continue;
    }
    if (!taken) {
      std::atomic_ref word(page_->record(*number));
      uint64_t seen = word.load(std::memory_order_acquire);
      if (Page::number_of(seen) >= *number || Page::phase_of(seen) == Page::kPending ||
          !word.compare_exchange_strong(seen, Page::word_of(*number, self(), Page::kPending), std::memory_order_acq_rel)) {
        continue;
      }
    }
    raise_newest(*number);  // of who was killed before he did, perhaps
    if (!taken) {
      return number;
    }
  }
}

bool SharedRecords::others_pending() const {
  return std::any_of(std::begin(page_->records), std::end(page_->records), [&](uint64_t& record) {
    const uint64_t seen = std::atomic_ref(record).load(std::memory_order_acquire);
    const Page::Recorder who = Page::recorder_of(seen);
    if (Page::phase_of(seen) != Page::kPending || who == self()) {
      return false;
    }
    const auto holder = table_->holder_of(who.slot);
    return holder && holder->age == who.age;
  });
}

// ---- And ends.

bool SharedRecords::end(uint64_t number, Page::Phase phase) {
  // seq_cst, release part: publishes what the stream did before. Before the look at who waits; see SharedEventPage.
  // Nobody else writes this record's word, but who believes us dead.
  uint64_t pending = Page::word_of(number, self(), Page::kPending);
  std::atomic_ref(page_->record(number))
      .compare_exchange_strong(pending, Page::word_of(number, self(), phase), std::memory_order_seq_cst);
  return ring_waiting();
}

// Its waiting bit stays: the slot may have an owner again, who waits. At worst a bell rings that nobody hears.
bool SharedRecords::lose(Page::Recorder who) {
  for (uint64_t& record : page_->records) {
    std::atomic_ref word(record);
    uint64_t seen = word.load(std::memory_order_acquire);
    if (Page::phase_of(seen) == Page::kPending && Page::recorder_of(seen) == who) {
      word.compare_exchange_strong(seen, Page::word_of(Page::number_of(seen), who, Page::kLost), std::memory_order_seq_cst);
    }
  }
  return ring_waiting();
}

bool SharedRecords::ring_waiting() {
  bool here = false;
  for (uint32_t word = 0; word < Page::kSlotWords; ++word) {
    uint64_t bits = std::atomic_ref(page_->waiting[word]).load(std::memory_order_seq_cst);
    for (; bits != 0; bits &= bits - 1) {
      const uint32_t slot = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      if (slot == table_->slot()) {
        here = true;
      } else if (slot < HostTable::max_slots()) {
        table_->bell_of(slot).ring(news_bit_);
      }
    }
  }
  return here;
}

void SharedRecords::set_waiting(bool waiting) {
  const uint32_t slot = table_->slot();
  CHECK(slot / 64 < Page::kSlotWords, "the page has a bit for every slot of the host table");
  std::atomic_ref word(page_->waiting[slot / 64]);
  // seq_cst: before the next look at a record.
  if (waiting) {
    word.fetch_or(slot_bit(slot), std::memory_order_seq_cst);
  } else {
    word.fetch_and(~slot_bit(slot), std::memory_order_seq_cst);
  }
}

}  // namespace canopy
