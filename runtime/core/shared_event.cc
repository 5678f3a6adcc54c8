#include "runtime/core/shared_event.h"

#include "runtime/base/waiter.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/stream.h"
#include "runtime/device/scheduler.h"

#include <algorithm>
#include <utility>

namespace canopy {

using Page = SharedEventPage;

namespace {

// A record that is queued: the step's argument.
struct RecordStep {
  std::shared_ptr<SharedEvent> event;
  uint64_t number;
};

}  // namespace

struct SharedEvent::Exported {
  Driver& driver;
  const Secret secret = Secret::random();
  std::shared_ptr<SyncPage> page{};
  SharedRecords records{};
  std::weak_ptr<SharedEvent> event{};  // of this process, while it has it
  uint64_t id = 0;                     // 0: not handed out; guarded by the event's mutex_

  // The last lease has gone: nobody is left who could record and vanish.
  ~Exported() {
    if (id != 0) {
      driver.sharing().end(id);
    }
  }
  // On the broker's thread.
  void lose_records_of(const Sharing::Importer& who) {
    if (!records.lose({who.slot, who.age})) {
      return;
    }
    if (const auto ours = event.lock()) {
      ours->see_to_pending();
    }
  }
};

// ---- Making, handing out, opening.

Result<std::shared_ptr<SharedEvent>> SharedEvent::create(Driver& driver, int device) {
  std::shared_ptr<SharedEvent> event(new SharedEvent(driver));
  auto exported = std::shared_ptr<Exported>(new Exported{driver});
  CANOPY_ASSIGN(exported->page, driver.sync_pages().take());
  auto* page = reinterpret_cast<Page*>(exported->page->base());  // zeroed
  page->device = driver.host_table().host_id(device);
  page->magic = Page::kMagic;
  event->news_bit_ = PeerBell::bit_of(exported->secret.bits[0]);
  event->records_ = exported->records = SharedRecords(page, &driver.host_table(), event->news_bit_);
  exported->event = event;
  event->exported_ = std::move(exported);
  return event;
}

void SharedEvent::attach() {
  news_ = &driver_.scheduler().peer_news();
  driver_.scheduler().listen_to_peers(&driver_.host_table().bell());
  news_->add(news_bit_, this);
  news_->add_waits(waiting_ ? 1 : 0);
}

Result<std::string> SharedEvent::handle() {
  if (exported_ == nullptr) {
    return fail(Errc::invalid_argument, "the event was opened from another process's handle: only its creator hands it out");
  }
  std::lock_guard lock(mutex_);
  if (exported_->id == 0) {
    const SyncPage& page = *exported_->page;
    Export object{.fd = page.fd(), .bytes = SyncPages::page_bytes(), .offset = page.offset(), .kind = ObjectKind::event,
                  .device = host_device(), .secret = exported_->secret, .pids = {}, .owner = exported_};
    if (news_ == nullptr) {  // not so after a try that failed
      attach();
    }
    CANOPY_ASSIGN(exported_->id, driver_.sharing().share(std::move(object), [raw = exported_.get()](const Sharing::Importer& who) {
      raw->lose_records_of(who);
    }));
  }
  return SharedKey{.id = exported_->id, .secret = exported_->secret}.text(ObjectKind::event);
}

Result<std::shared_ptr<SharedEvent>> SharedEvent::open(Driver& driver, const SharedKey& key) {
  std::shared_ptr<SharedEvent> event(new SharedEvent(driver));
  CANOPY_ASSIGN(event->import_, driver.sharing().import(ObjectKind::event, key, [raw = event.get()] { raw->on_creator_lost(); }));
  Import& import = event->import_;
  if (import.bytes != SyncPages::page_bytes() || import.offset % page_size() != 0) {
    return fail(Errc::io, "what is shared as an event has {} bytes at {}, and is no page", import.bytes, import.offset);
  }
  CANOPY_ASSIGN(event->mapped_, Mapping::shared(import.fd, import.bytes, import.offset));
  import.fd.reset();
  auto* page = reinterpret_cast<Page*>(event->mapped_.base());
  if (page->magic != Page::kMagic) {
    return fail(Errc::io, "what {:#x} names is no event of this version", key.id);
  }
  event->opened_by_ = key;
  event->news_bit_ = PeerBell::bit_of(key.secret.bits[0]);
  event->records_ = SharedRecords(page, &driver.host_table(), event->news_bit_);
  event->attach();
  return event;
}

SharedEvent::~SharedEvent() {
  if (news_ != nullptr) {
    news_->remove(news_bit_, this);
  }
  if (exported_ != nullptr && exported_->id != 0) {
    driver_.sharing().withdraw(exported_->id);
  }
}

Result<std::shared_ptr<SharedEvent>> SharedEvents::open(Driver& driver, const std::string& handle) {
  CANOPY_ASSIGN(const SharedKey key, SharedKey::parse(ObjectKind::event, handle));
  std::shared_ptr<SharedEvent> known;
  {
    std::lock_guard lock(mutex_);
    known = find(key);
  }
  if (known != nullptr) {
    CANOPY_TRY(known->check_creator());
    return known;
  }
  CANOPY_ASSIGN(std::shared_ptr<SharedEvent> opened, SharedEvent::open(driver, key));  // not under the mutex: it may take its time
  std::lock_guard lock(mutex_);
  if (auto meanwhile = find(key)) {
    return meanwhile;
  }
  sweep();
  open_.insert_or_assign(key.id, opened);
  return opened;
}

std::shared_ptr<SharedEvent> SharedEvents::find(const SharedKey& key) const {
  const auto entry = open_.find(key.id);
  auto found = entry == open_.end() ? nullptr : entry->second.lock();
  // With another secret the creator is asked, who refuses it.
  return found != nullptr && found->opened_by().secret == key.secret ? found : nullptr;
}

void SharedEvents::sweep() {
  if (open_.size() >= sweep_at_) {
    std::erase_if(open_, [](const auto& each) { return each.second.expired(); });
    sweep_at_ = 2 * open_.size() + 16;
  }
}

// ---- Records.

Result<> SharedEvent::check_creator() {
  std::lock_guard lock(mutex_);
  if (creator_is_gone_) {
    return fail(Errc::peer_lost, "the process that created the event is gone");
  }
  return {};
}

Result<> SharedEvent::record(Stream& stream) {
  if (stream.stored()) {
    return fail(Errc::not_supported, "stream {}: events between processes are not for streams of models", stream.id());
  }
  CANOPY_TRY(check_creator());
  const auto self = shared_from_this();  // its handle may be destroyed meanwhile
  bool posted = post_record(stream);
  if (posted) {
    return {};
  }
  if (CallbackScope::inside()) {
    return fail(Errc::again, "stream {}: {} records of an event between processes are pending, and a function that a stream has "
                "called cannot wait for their end", stream.id(), Page::kRecords);
  }
  const Stream::Held held(stream);
  const uint32_t aborts = stream.aborts();
  Result<> usable;
  // wait_until() may ask again after a yes. Any process's records may be in the way, so nobody rings.
  const auto settled = [&] {
    const bool some_end = own_pending_.load(std::memory_order_acquire) != 0 || records_.others_pending();
    return posted || !usable || (posted = post_record(stream)) || !some_end ||
           !(usable = check_creator().and_then([&] { return stream.check_accepts(); }).and_then([&] {
             return stream.check_aborts(aborts);
           }));
  };
  wait_until(settled, nullptr, BellScope::host, Deadline::never(), [&] {
    return fmt::format("stream {}: one of {} pending records of an event between processes to be made", stream.id(), Page::kRecords);
  });
  CANOPY_TRY(std::move(usable));
  if (!posted) {
    return fail(Errc::no_event, "stream {}: the newest record of an event between processes has number {}, the most is {}, and none is "
                "free behind it, though none is pending: its page was overwritten by one of them",
                stream.id(), records_.newest(), Page::kMostNumber);
  }
  return {};
}

// False: all records that there can be are pending, or the page is spoiled.
bool SharedEvent::post_record(Stream& stream) {
  auto made = std::make_unique<RecordStep>(RecordStep{shared_from_this(), 0});
  // It begins when it has its place in the stream: what waits for it from then on comes behind.
  return stream.post_if(0, [&](Sqe& sqe, std::byte*) {
    const auto number = records_.begin();
    if (!number) {
      return false;
    }
    made->number = *number;
    own_pending_.fetch_add(1, std::memory_order_relaxed);  // before the stream can end it
    sqe.kind = SqeKind::step;
    sqe.body.step = {[](Strand&, void* argument, bool dropped) {
                       std::unique_ptr<RecordStep> step(static_cast<RecordStep*>(argument));
                       step->event->end_record(step->number, dropped ? Page::kLost : Page::kDone);
                     },
                     made.release()};
    return true;
  });
}

void SharedEvent::end_record(uint64_t number, Page::Phase phase) {
  const bool waited_for = records_.end(number, phase);
  own_pending_.fetch_sub(1, std::memory_order_release);  // who sees none finds the word free
  if (waited_for) {
    see_to_pending();
  }
}

// ---- Waits.

tl::unexpected<Error> SharedEvent::lost_error() const {
  return fail(Errc::peer_lost, "the process that was to make the event's newest record is gone, or has dropped it");
}

Result<bool> SharedEvent::newest_is_complete() {
  const uint64_t number = records_.newest();
  if (number == 0 || records_.phase_of(number) == Page::kDone) {
    return true;
  }
  std::lock_guard lock(mutex_);
  if (creator_is_gone_ || records_.phase_of(number) == Page::kLost) {
    return lost_error();
  }
  return records_.phase_of(number) == Page::kDone;
}

Result<EventCell*> SharedEvent::cell_of_newest(EventBank& bank, uint64_t shares) {
  const uint64_t number = records_.newest();
  if (number == 0 || records_.phase_of(number) == Page::kDone) {
    return nullptr;
  }
  EventCell* cell = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (creator_is_gone_ || records_.phase_of(number) == Page::kLost) {
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
  if (records_.phase_of(number) != Page::kPending) {  // just now: who ended it may not have seen the bit
    see_to_pending();
  }
  return cell;
}

void SharedEvent::set_waiting(bool waiting) {
  if (waiting_ == waiting) {
    return;
  }
  waiting_ = waiting;
  records_.set_waiting(waiting);
  if (news_ != nullptr) {
    news_->add_waits(waiting ? 1 : -1);
  }
}

SharedEvent::Ended SharedEvent::take_ended() {
  Ended ended;
  std::erase_if(pending_, [&](const Pending& each) {
    const Page::Phase phase = records_.phase_of(each.number);
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

// ---- The creator vanishes. On the broker's thread.

// Whatever is pending by others: nobody is left who would hear of their end.
void SharedEvent::on_creator_lost() {
  {
    std::lock_guard lock(mutex_);
    creator_is_gone_ = true;
  }
  see_to_pending();
}

}  // namespace canopy
