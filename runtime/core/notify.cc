#include "runtime/core/notify.h"

#include "runtime/core/stream.h"
#include "runtime/device/notify_cell.h"

namespace canopy {

Notify::Notify(int device, Kind kind, uint32_t id, IdPool& ids)
    : device_(device), kind_(kind), id_(id), ids_(ids), cell_(NotifyCell::make()) {}

Notify::~Notify() {
  ids_.give(id_);
  cell_->drop_reference();
}

void Notify::record(Stream& stream, NotifyChange change, uint32_t value) {
  cell_->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_record;
    sqe.body.notify_record = {cell_, value, change};
  });
}

void Notify::wait(Stream& stream, NotifyTest test, uint32_t value, bool clear, uint32_t limit_s) {
  const uint64_t limit_ns = uint64_t{limit_s} * 1'000'000'000;
  cell_->acquire_reference();  // the task's
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::notify_wait;
    sqe.body.notify_wait = {cell_, name_of(kind_), limit_ns, id_, value, test, clear};
  });
}

void Notify::clear() { cell_->clear(); }

}  // namespace canopy
