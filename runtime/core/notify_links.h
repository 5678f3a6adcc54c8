// What ties a notify to other processes: the creator's side, which hands it out, and an importer's, which has it from
// another process.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/peer_news.h"
#include "runtime/driver/driver.h"
#include "runtime/driver/sync_pages.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>

namespace canopy {

// The creator's. Ends with the cell's last share: then nobody can import the notify any more.
class NotifyExport final : public NotifyLink, private PeerWatcher {
 public:
  // Hands the notify with this cell and number out; for listed processes only, or for all of this user.
  static Result<> attach(Driver& driver, NotifyCell& cell, int device, uint32_t id, bool listed_only);
  ~NotifyExport() override;

  Result<> allow(std::span<const int32_t> pids);
  std::string key() const { return key_.text(ObjectKind::notify); }
  bool listed_only() const { return listed_only_; }

 private:
  NotifyExport(Driver& driver, NotifyCell& cell, uint32_t id, bool listed_only)
      : driver_(driver), cell_(cell), id_(id), listed_only_(listed_only) {}
  bool hold() override { return cell_.try_hold(); }
  void look() override { cell_.look(); }  // with the share of hold(): this object may go, too
  // Who waits for us to record what we have given back does so for ever, if that is whom we wait for.
  void on_last_wait() override { driver_.sharing().take_leave(); }
  void on_importer_lost(const Sharing::Importer& who);
  void on_attendance();
  // REQUIRES: listing_ held.
  void see_who_is_left();

  Driver& driver_;
  NotifyCell& cell_;
  const uint32_t id_;
  const bool listed_only_;
  std::mutex listing_;  // held from a look at who is left to what the cell is told of it; guards lost_one_ and key_.id
  bool lost_one_ = false;  // an importer vanished, since a process was listed; without a list: the last one, since one came
  std::shared_ptr<SyncPage> page_;
  SharedKey key_;
};

// An importer's: may record. Its lease ends with the cell's last share.
class NotifyImport final : public NotifyLink {
 public:
  // The cell is the caller's, with one share.
  static Result<NotifyCell*> make(Driver& driver, const std::string& key);
  ~NotifyImport() override;

  uint32_t id() const { return shared->id; }
  int host_device() const { return shared->device; }
  // The process that created the notify is gone.
  bool creator_is_gone() const { return creator_is_gone_->load(std::memory_order_acquire); }

 private:
  std::shared_ptr<std::atomic<bool>> creator_is_gone_ = std::make_shared<std::atomic<bool>>(false);
  Mapping page_;
  Import import_;
  const PeerNews* losses_ = nullptr;
};

}  // namespace canopy
