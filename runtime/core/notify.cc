#include "runtime/core/notify.h"

#include "runtime/core/notify_links.h"
#include "runtime/core/stream.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/scheduler.h"

namespace canopy {

Notify::Notify(int device, Kind kind, uint32_t id, IdPool& ids)
    : device_(device), kind_(kind), id_(id), ids_(&ids), cell_(NotifyCell::make()) {}

Notify::Notify(int device, uint32_t id, NotifyCell* cell)
    : device_(device), kind_(Kind::flag), id_(id), ids_(nullptr), cell_(cell) {}

Notify::~Notify() {
  give_number_back();
  cell_->drop_reference();
}

void Notify::give_number_back() {
  if (ids_ != nullptr && numbered_.exchange(false, std::memory_order_relaxed)) {  // relaxed: it orders nothing
    ids_->give(id_);
  }
}

Result<> Notify::record(Stream& stream, NotifyChange change, uint32_t value) {
  if (imported() && static_cast<NotifyImport*>(cell_->link())->creator_is_gone()) {
    stream.strand().scheduler().note_peer_loss();
    return fail(Errc::peer_lost, "notify {} cannot be recorded: the process that created it is gone", id_);
  }
  cell_->note_recorder();
  cell_->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_record;
    sqe.body.notify_record = {cell_, value, change};
  });
  return {};
}

Result<> Notify::wait(Stream& stream, NotifyTest test, uint32_t value, bool clear, uint32_t limit_s) {
  if (imported()) {
    return fail(Errc::invalid_argument, "stream {}: wait for an imported notify: only the process that created it may wait",
                stream.id());
  }
  if (limit_s != 0) {
    CANOPY_TRY(stream.strand().scheduler().wait_timer().start());
  }
  const uint64_t limit_ns = uint64_t{limit_s} * 1'000'000'000;
  cell_->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_wait;
    sqe.body.notify_wait = {cell_, name_of(kind_), limit_ns, id_, value, test, clear};
  });
  return {};
}

NotifyExport* Notify::exported() const {
  return imported() ? nullptr : static_cast<NotifyExport*>(cell_->link());
}

Result<std::string> Notify::export_key(Driver& driver, bool listed_only) {
  if (imported()) {
    return fail(Errc::invalid_argument, "notify {} was imported: only the process that created it may export it", id_);
  }
  std::lock_guard lock(exporting_);
  if (exported() == nullptr) {
    CANOPY_TRY(NotifyExport::attach(driver, *cell_, device_, id_, listed_only));
  }
  if (exported()->listed_only() != listed_only) {
    return fail(Errc::invalid_argument, "notify {} was exported {} a check of process ids, and cannot be again {} one",
                id_, listed_only ? "without" : "with", listed_only ? "with" : "without");
  }
  return exported()->key();
}

Result<> Notify::allow(std::span<const int32_t> pids) {
  NotifyExport* link = exported();
  if (link == nullptr) {
    return fail(Errc::invalid_argument, "notify {} was not exported by this process", id_);
  }
  if (!link->listed_only()) {
    return fail(Errc::invalid_argument, "notify {} was exported without a check of process ids: there is no list", id_);
  }
  return link->allow(pids);
}

void Notify::clear() { cell_->clear(); }

}  // namespace canopy
