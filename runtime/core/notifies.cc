#include "runtime/core/notifies.h"

#include "runtime/core/call_scope.h"
#include "runtime/core/notify_links.h"

#include <memory>
#include <vector>

namespace canopy {

IdPool& Notifies::ids_of(int device, Notify::Kind kind) {
  std::lock_guard lock(mutex_);
  return ids_.try_emplace({device, kind}, kPerDevice).first->second;
}

Result<void*> Notifies::create(int device, Notify::Kind kind) {
  IdPool& ids = ids_of(device, kind);
  const auto id = ids.take();
  if (!id) {
    return fail(Errc::no_notify, "device {}: all {} of kind {} are in use", device, kPerDevice,
                Notify::name_of(kind));
  }
  void* handle = table(kind).insert(std::make_unique<Notify>(device, kind, *id, ids));
  if (handle == nullptr) {
    return fail(Errc::no_notify, "device {}: no more handles for a {}", device, Notify::name_of(kind));
  }
  return handle;
}

Result<void*> Notifies::import(Driver& driver, int device, const std::string& key, PeerAccess* enable) {
  CANOPY_ASSIGN(NotifyCell * cell, NotifyImport::make(driver, key));
  const auto& link = static_cast<const NotifyImport&>(*cell->link());
  auto notify = std::make_unique<Notify>(device, link.id(), cell);
  // A creator's device that this process does not see is reached all the same.
  const int creator = driver.host_table().local_id(link.host_device());
  if (creator >= 0 && creator < driver.machine().count() && creator != device) {
    if (!PeerAccess::possible(driver.machine(), device, creator)) {
      return fail(Errc::not_supported, "device {}: no way to notify {} of device {}: peers are refused", device,
                  link.id(), creator);
    }
    CANOPY_TRY(driver.reports().check_link(device, creator));
    if (enable != nullptr) {
      CANOPY_TRY(enable->enable(driver.machine(), device, creator));
    }
  }
  void* handle = flags_.insert(std::move(notify));
  if (handle == nullptr) {
    return fail(Errc::no_notify, "device {}: no more handles for a notify", device);
  }
  return handle;
}

Result<Notify*> Notifies::find(void* handle, Notify::Kind kind) const {
  if (Notify* found = table(kind).find(handle)) [[likely]] {
    return found;
  }
  return fail(Errc::stale_handle, "{} is not a live {}", fmt::ptr(handle), Notify::name_of(kind));
}

Result<> Notifies::destroy(void* handle, Notify::Kind kind) {
  std::unique_ptr<Notify> ended;
  {
    std::lock_guard lock(mutex_);  // close_device() looks at what is there
    ended = table(kind).remove(handle);
  }
  if (ended == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live {}", fmt::ptr(handle), Notify::name_of(kind));
  }
  return {};
}

Result<> Notifies::clear(std::span<void* const> handles) {
  std::vector<Notify*> found;
  // Not reserved: how many there are is the caller's word.
  for (void* handle : handles) {
    CANOPY_ASSIGN(Notify * notify, find(handle, Notify::Kind::flag));
    if (notify->imported()) {
      return fail(Errc::invalid_argument, "notify {} was imported: only the process that created it may reset it",
                  notify->id());
    }
    found.push_back(notify);
  }
  for (Notify* notify : found) {
    notify->clear();
  }
  return {};
}

void Notifies::close_imports(int device) {
  for (void* handle : flags_.handles()) {
    std::unique_ptr<Notify> ended;
    std::lock_guard lock(mutex_);
    if (const Notify* notify = flags_.find(handle); notify != nullptr && notify->imported() && notify->device() == device) {
      ended = flags_.remove(handle);
    }
  }
}

void Notifies::close_device(int device) {
  for (HandleTable<Notify>* table : {&flags_, &counters_}) {
    for (void* handle : table->handles()) {
      std::unique_ptr<Notify> ended;
      {
        std::lock_guard lock(mutex_);
        if (const Notify* notify = table->find(handle); notify != nullptr && notify->device() == device) {
          ended = table->remove(handle);
        }
      }
      if (ended != nullptr && !ended->imported()) {  // an imported one is given back at once: others may wait for it
        ended->give_number_back();
        keep_for_calls(std::move(ended));
      }
    }
  }
}

}  // namespace canopy
