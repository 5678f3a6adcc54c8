// Notifies: the notifies and counting notifies of all devices, by handle. Thread-safe; a notify
// must not be destroyed while another thread is inside a call with it.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/core/id_pool.h"
#include "runtime/core/notify.h"
#include "runtime/core/peer_access.h"
#include "runtime/driver/driver.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

namespace canopy {

class Notifies {
 public:
  // Of either kind, on each device: what A2 cards have.
  static constexpr uint32_t kPerDevice = 8192;

  // Errc::no_notify when the device has none left.
  Result<void*> create(int device, Notify::Kind kind);
  // Another process's, by its key, for records by `device`; access to the creator's device is enabled in `enable`,
  // unless that is null. Errors: Sharing::import(); not_supported when there is no way between the devices.
  Result<void*> import(Driver& driver, int device, const std::string& key, PeerAccess* enable);
  // Errc::stale_handle for all that is no live notify of the kind.
  Result<Notify*> find(void* handle, Notify::Kind kind) const;
  Result<> destroy(void* handle, Notify::Kind kind);
  // All of them or, when a handle is stale, or imported, none.
  Result<> clear(std::span<void* const> handles);
  // Makes the handles of what the device has imported dead: it is given back with the last record that is queued.
  void close_imports(int device);
  // Makes the handles of the device's notifies dead.
  void close_device(int device);

 private:
  IdPool& ids_of(int device, Notify::Kind kind);
  const HandleTable<Notify>& table(Notify::Kind kind) const {
    return kind == Notify::Kind::flag ? flags_ : counters_;
  }
  HandleTable<Notify>& table(Notify::Kind kind) {
    return kind == Notify::Kind::flag ? flags_ : counters_;
  }

  std::mutex mutex_;                                    // guards ids_
  std::map<std::pair<int, Notify::Kind>, IdPool> ids_;  // outlive the notifies
  HandleTable<Notify> flags_{6};
  HandleTable<Notify> counters_{7};
};

}  // namespace canopy
