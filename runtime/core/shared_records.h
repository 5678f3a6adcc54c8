// SharedRecords: what any process does with the records in a SharedEventPage.
//
// A view of the page: several may exist of one, and it keeps nothing alive. Thread-safe, without locks.
#pragma once

#include "runtime/core/shared_event_page.h"
#include "runtime/driver/host_table.h"

#include <cstdint>
#include <optional>

namespace canopy {

class SharedRecords {
 public:
  using Page = SharedEventPage;

  SharedRecords() = default;
  // Peers that wait are rung by `news_bit`. Both outlive the view's use.
  SharedRecords(SharedEventPage* page, HostTable* table, uint64_t news_bit)
      : page_(page), table_(table), news_bit_(news_bit) {}

  int host_device() const { return page_->device; }
  // The number that a wait binds to; 0: never recorded.
  uint64_t newest() const;
  // Acquires what the recording stream did before, if the record is done.
  Page::Phase phase_of(uint64_t number) const;

  // Makes a record, pending and by this process, the newest. Nothing: all that there can be are pending, or
  // exhausted().
  std::optional<uint64_t> begin();
  // Whether another process that lives has a record pending.
  bool others_pending() const;
  // No record has a number any more: the page was overwritten, most likely.
  bool exhausted() const { return newest() > Page::kMostNumber; }
  // Ends one of this process, and rings who waits. True when this process is one of these.
  [[nodiscard]] bool end(uint64_t number, Page::Phase phase);
  // The same for all that `who`, which has vanished, has begun.
  [[nodiscard]] bool lose(Page::Recorder who);
  // That this process waits, or does no more.
  void set_waiting(bool waiting);

 private:
  std::optional<uint64_t> free_number_behind(uint64_t last, bool& taken) const;
  void raise_newest(uint64_t number);
  bool ring_waiting();
  Page::Recorder self() const { return {table_->slot(), table_->age()}; }

  SharedEventPage* page_ = nullptr;
  HostTable* table_ = nullptr;
  uint64_t news_bit_ = 0;
};

}  // namespace canopy
