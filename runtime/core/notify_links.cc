#include "runtime/core/notify_links.h"

#include "runtime/device/scheduler.h"

#include <utility>

namespace canopy {

// ---- The creator's.

Result<> NotifyExport::attach(Driver& driver, NotifyCell& cell, int device, uint32_t id, bool listed_only) {
  std::unique_ptr<NotifyExport> link(new NotifyExport(driver, cell, id, listed_only));
  CANOPY_ASSIGN(link->page_, driver.sync_pages().take());
  // The word is not touched here: executors may have a last look at it for who had the page before.
  auto* shared = reinterpret_cast<SharedNotify*>(link->page_->base());  // zeroed
  shared->id = id;
  shared->device = driver.host_table().host_id(device);
  shared->magic = SharedNotify::kMagic;
  link->shared = shared;
  link->news = &driver.scheduler().peer_news();
  Export object{.fd = link->page_->fd(),
                .bytes = SyncPages::page_bytes(),
                .offset = link->page_->offset(),
                .kind = ObjectKind::notify,
                .device = shared->device,
                .secret = Secret::random(),
                .listed_only = listed_only,
                .tells_attendance = true,
                .pids = {},
                .owner = link->page_};
  link->key_.secret = object.secret;
  link->bit = PeerBell::bit_of(object.secret.bits[0]);  // which importers know as well
  NotifyExport* const raw = link.get();
  // Nobody has the key yet, so nobody imports before the cell is ready for it.
  {
    std::lock_guard lock(raw->listing_);
    CANOPY_ASSIGN(raw->key_.id, driver.sharing().share(
                                    std::move(object), [raw](const Sharing::Importer& who) { raw->on_importer_lost(who); },
                                    [raw] { raw->on_attendance(); }));
  }
  driver.scheduler().listen_to_peers(&driver.host_table().bell());
  raw->news->add(raw->bit, raw);
  cell.share(std::move(link));
  std::lock_guard lock(raw->listing_);
  raw->see_who_is_left();
  return {};
}

NotifyExport::~NotifyExport() {
  if (key_.id != 0) {
    driver_.sharing().end(key_.id);
    news->remove(bit, this);
  }
}

Result<> NotifyExport::allow(std::span<const int32_t> pids) {
  std::lock_guard lock(listing_);
  CANOPY_TRY(driver_.sharing().allow(key_.id, pids));
  lost_one_ = false;
  see_who_is_left();
  return {};
}

void NotifyExport::see_who_is_left() {
  const Attendance attendance = driver_.sharing().attendance(key_.id);
  if (attendance == Attendance::deserted) {
    const std::string sentence = fmt::format("all processes that may import notify {} have ended, or are on their way out", id_);
    if (lost_one_) {
      cell_.lose_peer(sentence, true);
    } else {
      cell_.lose_all_peers(sentence);
    }
    return;
  }
  const bool absent = attendance == Attendance::absent;
  if (!listed_only_ && std::exchange(lost_one_, lost_one_ && absent)) {
    return;  // lost until somebody imports it again, which the cell sees by itself
  }
  cell_.expect_peers(absent);
  if (absent) {
    driver_.scheduler().note_parked();  // who leaves such waits may lie there
  }
}

// On the broker's thread, as what follows.
void NotifyExport::on_attendance() {
  if (!cell_.try_hold()) {
    return;
  }
  NotifyCell& cell = cell_;
  {
    std::lock_guard lock(listing_);
    see_who_is_left();
  }
  cell.drop_reference();
}

void NotifyExport::on_importer_lost(const Sharing::Importer& who) {
  if (!cell_.try_hold()) {
    return;
  }
  NotifyCell& cell = cell_;
  {
    std::lock_guard lock(listing_);
    const Attendance attendance = driver_.sharing().attendance(key_.id);
    // Of those who are listed others may come.
    const bool last = attendance == Attendance::deserted || (!listed_only_ && attendance == Attendance::absent);
    lost_one_ = listed_only_ || last;
    cell.lose_peer(fmt::format("process {}, which had imported notify {}, is gone", who.pid, id_), last);
  }
  cell.drop_reference();
}

// ---- An importer's.

Result<NotifyCell*> NotifyImport::make(Driver& driver, const std::string& text) {
  CANOPY_ASSIGN(const SharedKey key, SharedKey::parse(ObjectKind::notify, text));
  auto link = std::make_unique<NotifyImport>();
  link->losses_ = &driver.scheduler().peer_news();
  CANOPY_ASSIGN(link->import_, driver.sharing().import(ObjectKind::notify, key, [gone = link->creator_is_gone_] {
    gone->store(true, std::memory_order_release);
  }));
  Import& import = link->import_;
  if (import.bytes != SyncPages::page_bytes() || import.offset % page_size() != 0) {
    return fail(Errc::io, "process {} shares {} bytes at {} as a notify, not a page", import.exporter, import.bytes,
                import.offset);
  }
  CANOPY_ASSIGN(link->page_, Mapping::shared(import.fd, import.bytes, import.offset));
  import.fd.reset();
  auto* shared = reinterpret_cast<SharedNotify*>(link->page_.base());
  if (shared->magic != SharedNotify::kMagic) {
    return fail(Errc::io, "what {} names is no notify of this version", text);
  }
  // Relaxed: a number; the creator compares it with what it was.
  std::atomic_ref(shared->imports).fetch_add(1, std::memory_order_relaxed);
  link->shared = shared;
  link->creator = &driver.host_table().bell_of(import.exporter);
  link->bit = PeerBell::bit_of(key.secret.bits[0]);
  NotifyCell* cell = NotifyCell::make();
  cell->share(std::move(link));
  return cell;
}

// Who has lost somebody ends what it does with the others, who may be waiting for this.
NotifyImport::~NotifyImport() {
  if (losses_ != nullptr && losses_->has_loss()) {
    import_.give_up();
  }
}

}  // namespace canopy
