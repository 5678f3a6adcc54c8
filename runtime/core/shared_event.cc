#include "runtime/core/shared_event.h"

#include "runtime/base/check.h"
#include "runtime/core/stream.h"
#include "runtime/device/scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace canopy {

using Page = SharedEventPage;

namespace {

constexpr uint64_t slot_bit(uint32_t slot) { return uint64_t{1} << (slot % 64); }

// A record that is queued: the step's argument.
struct RecordStep {
  std::shared_ptr<SharedEvent> event;
  uint64_t number;
};

}  // namespace

// ---- Making, handing out, opening.

Result<std::shared_ptr<SharedEvent>> SharedEvent::create(Driver& driver, int device) {
  std::shared_ptr<SharedEvent> event(new SharedEvent(driver));
  CANOPY_ASSIGN(event->own_page_, driver.sync_pages().take());
  auto* page = reinterpret_cast<Page*>(event->own_page_->base());  // zeroed
  page->device = driver.host_table().host_id(device);
  page->magic = Page::kMagic;
  event->page_ = page;
  return event;
}

// Peers' rings are heard from here on. All sides know the secret, and the bit by it.
void SharedEvent::attach(const Secret& secret) {
  news_bit_ = PeerBell::bit_of(secret.bits[0]);
  news_ = &driver_.scheduler().peer_news();
  driver_.scheduler().listen_to_peers(&driver_.host_table().bell());
  news_->add(news_bit_, this);
  news_->add_waits(waiting_ ? 1 : 0);
}

Result<std::string> SharedEvent::handle() {
  if (own_page_ == nullptr) {
    return fail(Errc::invalid_argument, "the event was opened from another process's handle: only its creator hands it out");
  }
  std::lock_guard lock(mutex_);
  if (key_.id == 0) {
    SharedKey key{.id = 0, .secret = secret_};
    Export object{.fd = own_page_->fd(), .bytes = SyncPages::kPageBytes, .offset = own_page_->offset(),
                  .kind = ObjectKind::event, .device = page_->device, .secret = key.secret, .pids = {}, .owner = own_page_};
    if (news_ == nullptr) {  // not so after a try that failed
      attach(key.secret);
    }
    CANOPY_ASSIGN(key.id, driver_.sharing().share(std::move(object), [this](const Sharing::Importer& who) {
      lose_records_of({who.slot, who.age});
    }));
    key_ = key;
  }
  return key_.text(ObjectKind::event);
}

Result<std::shared_ptr<SharedEvent>> SharedEvent::open(Driver& driver, const std::string& handle) {
  CANOPY_ASSIGN(const SharedKey key, SharedKey::parse(ObjectKind::event, handle));
  std::shared_ptr<SharedEvent> event(new SharedEvent(driver));
  CANOPY_ASSIGN(event->import_, driver.sharing().import(ObjectKind::event, key, [raw = event.get()] { raw->on_creator_lost(); }));
  Import& import = event->import_;
  if (import.bytes != SyncPages::kPageBytes || import.offset % page_size() != 0) {
    return fail(Errc::io, "what is shared as an event has {} bytes at {}, and is no page", import.bytes, import.offset);
  }
  CANOPY_ASSIGN(event->mapped_, Mapping::shared(import.fd, import.bytes, import.offset));
  import.fd.reset();
  auto* page = reinterpret_cast<Page*>(event->mapped_.base());
  if (page->magic != Page::kMagic) {
    return fail(Errc::io, "what {} names is no event of this version", handle);
  }
  event->page_ = page;
  event->attach(key.secret);
  return event;
}

SharedEvent::~SharedEvent() {
  if (news_ != nullptr) {
    news_->remove(news_bit_, this);
  }
  if (key_.id != 0) {
    driver_.sharing().end(key_.id);
  }
}

Page::Recorder SharedEvent::self() const {
  return {driver_.host_table().slot(), driver_.host_table().age()};
}

// ---- Records.

// Without an end to it, helping others would go through all numbers that there are.
tl::unexpected<Error> SharedEvent::page_is_damaged() const {
  return fail(Errc::io, "the page of an event between processes contradicts itself: one of them has written over it");
}

Result<uint64_t> SharedEvent::begin_record() {
  std::atomic_ref newest(page_->newest);
  for (;;) {
    uint64_t last = newest.load(std::memory_order_acquire);
    const uint64_t number = last + 1;
    if (number == 0 || number > Page::kMostRecords) {
      return page_is_damaged();
    }
    std::atomic_ref word(page_->record(number));
    uint64_t seen = word.load(std::memory_order_acquire);
    // Who takes a word for a later record has seen `newest` pass this one.
    if (Page::number_of(seen) > number && newest.load(std::memory_order_acquire) == last) {
      return page_is_damaged();
    }
    if (Page::number_of(seen) < number) {
      if (Page::phase_of(seen) == Page::kPending) {
        return fail(Errc::no_event, "all {} records that an event between processes can have are pending", Page::kRecords);
      }
      if (!word.compare_exchange_strong(seen, Page::word_of(number, self(), Page::kPending), std::memory_order_acq_rel)) {
        continue;
      }
      // Whether this moves it or somebody who helped: release, so that who reads the number finds the word.
      newest.compare_exchange_strong(last, number, std::memory_order_acq_rel);
      return number;
    }
    newest.compare_exchange_strong(last, number, std::memory_order_acq_rel);  // taken, but not told: by who was killed, perhaps
  }
}

Result<> SharedEvent::record(Stream& stream) {
  if (stream.stored()) {
    return fail(Errc::not_supported, "stream {}: events between processes are not for streams of models", stream.id());
  }
  {
    std::lock_guard lock(mutex_);
    if (creator_is_gone_) {
      return fail(Errc::peer_lost, "stream {}: the process that created the event is gone", stream.id());
    }
  }
  CANOPY_ASSIGN(const uint64_t number, begin_record());
  auto* step = new RecordStep{shared_from_this(), number};
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::step;
    sqe.body.step = {[](Strand&, void* argument, bool dropped) {
                       std::unique_ptr<RecordStep> made(static_cast<RecordStep*>(argument));
                       made->event->end_record(made->number, dropped ? Page::kLost : Page::kDone);
                     },
                     step};
  });
  return {};
}

void SharedEvent::end_record(uint64_t number, Page::Phase phase) {
  // seq_cst, release part: publishes what the stream did before. Before the look at who waits; see SharedEventPage.
  // Nobody else writes this record's word, but who believes us dead.
  uint64_t pending = Page::word_of(number, self(), Page::kPending);
  std::atomic_ref(page_->record(number))
      .compare_exchange_strong(pending, Page::word_of(number, self(), phase), std::memory_order_seq_cst);
  ring_waiting();
}

void SharedEvent::ring_waiting() {
  const HostTable& table = driver_.host_table();
  bool here = false;
  for (uint32_t word = 0; word < Page::kSlotWords; ++word) {
    uint64_t bits = std::atomic_ref(page_->waiting[word]).load(std::memory_order_seq_cst);
    for (; bits != 0; bits &= bits - 1) {
      const uint32_t slot = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      if (slot == table.slot()) {
        here = true;
      } else if (slot < HostTable::max_slots()) {
        table.bell_of(slot).ring(news_bit_);
      }
    }
  }
  if (here) {
    see_to_pending();
  }
}

// ---- Waits.

Page::Phase SharedEvent::phase_of(uint64_t number) const {
  // seq_cst, acquire part: what the recording stream did before is visible.
  const uint64_t word = std::atomic_ref(page_->record(number)).load(std::memory_order_seq_cst);
  // A later record's: this one was over before.
  return Page::number_of(word) == number ? Page::phase_of(word) : Page::kDone;
}

tl::unexpected<Error> SharedEvent::lost_error() const {
  return fail(Errc::peer_lost, "the process that was to make the event's newest record is gone, or has dropped it");
}

Result<bool> SharedEvent::newest_is_complete() {
  const uint64_t number = std::atomic_ref(page_->newest).load(std::memory_order_acquire);
  if (number == 0 || phase_of(number) == Page::kDone) {
    return true;
  }
  std::lock_guard lock(mutex_);
  if (creator_is_gone_ || phase_of(number) == Page::kLost) {
    return lost_error();
  }
  return phase_of(number) == Page::kDone;
}

Result<EventCell*> SharedEvent::cell_of_newest(EventBank& bank, uint64_t shares) {
  const uint64_t number = std::atomic_ref(page_->newest).load(std::memory_order_acquire);
  if (number == 0 || phase_of(number) == Page::kDone) {
    return nullptr;
  }
  EventCell* cell = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (creator_is_gone_ || phase_of(number) == Page::kLost) {
      return lost_error();
    }
    const auto known = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& each) { return each.number == number; });
    if (known != pending_.end()) {
      cell = known->cell;
      cell->add_shares(shares);
    } else {
      CANOPY_ASSIGN(cell, bank.take(EventCell::kHolder + shares));  // the holder is pending_
      pending_.push_back({number, cell});
      kept_ = shared_from_this();
    }
    set_waiting(true);
  }
  if (phase_of(number) != Page::kPending) {  // just now: who ended it may not have seen the bit
    see_to_pending();
  }
  return cell;
}

void SharedEvent::set_waiting(bool waiting) {
  if (waiting_ == waiting) {
    return;
  }
  waiting_ = waiting;
  const uint32_t slot = driver_.host_table().slot();
  CHECK(slot / 64 < Page::kSlotWords, "the page has a bit for every slot of the host table");
  std::atomic_ref word(page_->waiting[slot / 64]);
  // seq_cst: before the next look at a record.
  if (waiting) {
    word.fetch_or(slot_bit(slot), std::memory_order_seq_cst);
  } else {
    word.fetch_and(~slot_bit(slot), std::memory_order_seq_cst);
  }
  if (news_ != nullptr) {
    news_->add_waits(waiting ? 1 : -1);
  }
}

SharedEvent::Ended SharedEvent::take_ended() {
  Ended ended;
  std::erase_if(pending_, [&](const Pending& each) {
    const Page::Phase phase = phase_of(each.number);
    if (phase == Page::kPending && !creator_is_gone_) {
      return false;
    }
    (phase == Page::kDone ? ended.complete : ended.lost).push_back(each.cell);
    return true;
  });
  set_waiting(!pending_.empty());
  if (pending_.empty()) {
    ended.kept = std::move(kept_);
  }
  return ended;
}

void SharedEvent::see_to_pending() {
  Ended ended;
  {
    std::lock_guard lock(mutex_);
    ended = take_ended();
  }
  for (EventCell* cell : ended.complete) {
    cell->release_waiters();
    cell->drop_reference();
  }
  for (EventCell* cell : ended.lost) {
    cell->fail_waiters("the process that was to make the event's record is gone, or has dropped it");
    cell->drop_reference();
  }
}

bool SharedEvent::hold() {
  auto self = weak_from_this().lock();
  if (self == nullptr) {
    return false;
  }
  std::lock_guard lock(held_lock_);
  held_.push_back(std::move(self));
  return true;
}

void SharedEvent::look() {
  see_to_pending();
  std::shared_ptr<SharedEvent> last;  // this object may go with it, but not under its own lock
  std::lock_guard lock(held_lock_);
  last = std::move(held_.back());
  held_.pop_back();
}

// ---- Processes that vanish. On the broker's thread.

void SharedEvent::lose_records_of(Page::Recorder who) {
  for (uint64_t& record : page_->records) {
    std::atomic_ref word(record);
    uint64_t seen = word.load(std::memory_order_acquire);
    if (Page::phase_of(seen) == Page::kPending && Page::recorder_of(seen) == who) {
      word.compare_exchange_strong(seen, Page::word_of(Page::number_of(seen), who, Page::kLost), std::memory_order_seq_cst);
    }
  }
  if (who.slot / 64 < Page::kSlotWords) {
    std::atomic_ref(page_->waiting[who.slot / 64]).fetch_and(~slot_bit(who.slot), std::memory_order_relaxed);
  }
  ring_waiting();
}

// Whatever is pending by others: nobody is left who would hear of their end.
void SharedEvent::on_creator_lost() {
  {
    std::lock_guard lock(mutex_);
    creator_is_gone_ = true;
  }
  see_to_pending();
}

}  // namespace canopy
