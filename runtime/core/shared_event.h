// SharedEvent: this process's side of an event that several processes record and wait for.
//
// A record is a step of its stream that marks it in the page; a wait is one for an ordinary event cell, which is
// completed when the record is seen to be complete: by the step, if it is one of this process, else when a peer's ring
// makes an executor look. Kept by the event, and by the steps that are queued. One per process and event, however often
// that is opened: the page has one bit that says whether this process waits. Thread-safe.
//
// The creator's processes' losses are told as long as anybody has the event open, also when the creator has destroyed
// its handle: that lies with the page (Exported), which leases keep.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/spin_lock.h"
#include "runtime/core/shared_event_page.h"
#include "runtime/core/shared_records.h"
#include "runtime/device/event_bank.h"
#include "runtime/device/peer_news.h"
#include "runtime/driver/driver.h"

#include <sys/types.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace canopy {

class Stream;

class SharedEvent final : public std::enable_shared_from_this<SharedEvent>, private PeerWatcher {
 public:
  static constexpr size_t kHandleBytes = 64;

  // One that was never recorded.
  static Result<std::shared_ptr<SharedEvent>> create(Driver& driver, int device);
  // Another process's. Errors: Sharing::import(). See SharedEvents.
  static Result<std::shared_ptr<SharedEvent>> open(Driver& driver, const SharedKey& key);
  ~SharedEvent() override;

  // What other processes open it by: text shorter than kHandleBytes. Errc::invalid_argument: opened itself.
  Result<std::string> handle();
  int host_device() const { return records_.host_device(); }
  // Of one that was opened, by which key.
  const SharedKey& opened_by() const { return opened_by_; }
  // Errc::peer_lost: the process that created it is gone.
  Result<> check_creator();

  // Waits while 480 records are pending, by whatever process that lives; Errc::again instead in a function that a stream has called.
  // peer_lost: the process that created the event is gone; no_event: the page cannot have come about by records; others as
  // Stream::check_accepts().
  Result<> record(Stream& stream);
  // The cell of the newest record, with `shares` for the caller; null when that is complete, or there is none.
  // Errc::peer_lost: who was to make it is gone.
  Result<EventCell*> cell_of_newest(EventBank& bank, uint64_t shares);
  // Errc::peer_lost: as above.
  Result<bool> newest_is_complete();

 private:
  struct Pending {
    uint64_t number;
    EventCell* cell;
  };
  struct Ended {
    std::vector<EventCell*> complete;
    std::vector<EventCell*> lost;
    std::shared_ptr<SharedEvent> kept;  // let go last
  };
  // The creator's page, kept by the event and by every lease of it.
  struct Exported;
  explicit SharedEvent(Driver& driver) : driver_(driver) {}
  // Peers' rings are heard from here on.
  void attach();
  bool post_record(Stream& stream);
  tl::unexpected<Error> lost_error() const;
  void end_record(uint64_t number, SharedEventPage::Phase phase);
  void on_creator_lost();
  bool hold() override;
  void look() override;
  void see_to_pending();
  // REQUIRES: mutex_ held.
  Ended take_ended();
  void set_waiting(bool waiting);  // as above

  Driver& driver_;
  SharedRecords records_;
  std::shared_ptr<Exported> exported_;  // the creator's
  Mapping mapped_;                      // an opener's
  SharedKey opened_by_;
  uint64_t news_bit_ = 0;  // all sides know the secret, and the bit by it
  PeerNews* news_ = nullptr;
  std::atomic<uint32_t> own_pending_{0};  // records of this process
  std::mutex mutex_;  // guards all below, but for import_
  bool waiting_ = false;
  bool creator_is_gone_ = false;
  std::vector<Pending> pending_;
  std::shared_ptr<SharedEvent> kept_;  // this object, while something is pending: waits outlive the handle
  SpinLock held_lock_;  // guards held_; a leaf, also inside of the lock of PeerNews
  std::vector<std::shared_ptr<SharedEvent>> held_;  // by looks under way
  Import import_;  // last: its callback uses the rest until it has ended
};

// The events of other processes that this one has open, by their keys. Thread-safe.
class SharedEvents {
 public:
  // What `handle` names: again the same object while there is one, also when its creator does not hand it out any more.
  // Errors: SharedEvent::open().
  Result<std::shared_ptr<SharedEvent>> open(Driver& driver, const std::string& handle);

 private:
  // REQUIRES: mutex_ held.
  std::shared_ptr<SharedEvent> find(const SharedKey& key) const;
  void sweep();

  std::mutex mutex_;  // guards all below
  std::map<uint64_t, std::weak_ptr<SharedEvent>> open_;  // by id
  size_t sweep_at_ = 16;  // so many entries
};

}  // namespace canopy
