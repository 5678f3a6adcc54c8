// SharedEvent: this process's side of an event that several processes record and wait for.
//
// A record is a step of its stream that marks it in the page; a wait is one for an ordinary event cell, which is
// completed when the record is seen to be complete: by the step, if it is one of this process, else when a peer's ring
// makes an executor look. Kept by the event, and by the steps that are queued. Thread-safe.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/spin_lock.h"
#include "runtime/core/shared_event_page.h"
#include "runtime/device/event_bank.h"
#include "runtime/device/peer_news.h"
#include "runtime/driver/driver.h"

#include <sys/types.h>

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
  // Another process's, by what its handle() was. Errors: Sharing::import().
  static Result<std::shared_ptr<SharedEvent>> open(Driver& driver, const std::string& handle);
  ~SharedEvent() override;

  // What other processes open it by: text shorter than kHandleBytes. Errc::invalid_argument: opened itself.
  Result<std::string> handle();
  int host_device() const { return page_->device; }

  // Errc::no_event: 480 records are pending; peer_lost: the process that created the event is gone; io: the page cannot
  // have come about by records.
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
  explicit SharedEvent(Driver& driver) : driver_(driver) {}
  void attach(const Secret& secret);
  SharedEventPage::Phase phase_of(uint64_t number) const;
  tl::unexpected<Error> lost_error() const;
  tl::unexpected<Error> page_is_damaged() const;
  Result<uint64_t> begin_record();
  void end_record(uint64_t number, SharedEventPage::Phase phase);
  void ring_waiting();
  void lose_records_of(SharedEventPage::Recorder who);
  void on_creator_lost();
  bool hold() override;
  void look() override;
  void see_to_pending();
  // REQUIRES: mutex_ held.
  Ended take_ended();
  void set_waiting(bool waiting);  // as above
  SharedEventPage::Recorder self() const;

  Driver& driver_;
  SharedEventPage* page_ = nullptr;
  std::shared_ptr<SyncPage> own_page_;  // the creator's
  Mapping mapped_;                      // an opener's
  Import import_;
  const Secret secret_ = Secret::random();  // of a creator's
  uint64_t news_bit_ = 0;
  PeerNews* news_ = nullptr;
  std::mutex mutex_;  // guards all below
  SharedKey key_;     // id 0: not handed out
  bool waiting_ = false;
  bool creator_is_gone_ = false;
  std::vector<Pending> pending_;
  std::shared_ptr<SharedEvent> kept_;  // this object, while something is pending: waits outlive the handle
  SpinLock held_lock_;  // guards held_; a leaf, also inside of the lock of PeerNews
  std::vector<std::shared_ptr<SharedEvent>> held_;  // by looks under way
};

}  // namespace canopy
