// Sharing: what this process lets other processes of the host use, and what it uses of theirs.
//
// Everything that is shared has a number that all processes of the host understand: its low 16 bits name the
// exporter's slot in the host table, where its broker's name is found; the rest is random, and known to that broker.
// No directory of objects is needed, so none can be full, or be left behind.
//
//   63                    16 15         0
//   [ random               ][ slot + 1  ]
//
// The broker starts with the first export or import. Callbacks come on its thread, without any lock of ours
// held that a call below needs. Thread-safe.
#pragma once

#include "runtime/driver/broker.h"
#include "runtime/driver/orphan_counts.h"
#include "runtime/driver/shared_key.h"

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace canopy {

class HostTable;
class Sharing;

// What another process has exported, and the lease of it, which ends with the object. Move-only.
class Import {
 public:
  Import() = default;
  Import(Import&& other) noexcept;
  Import& operator=(Import&& other) noexcept;
  ~Import() { reset(); }

  UniqueFd fd;  // may be closed once it is mapped
  uint64_t bytes = 0;
  uint64_t offset = 0;       // of the object in the file
  int32_t host_device = -1;  // the device that it belongs to, as the host numbers it
  uint64_t id = 0;
  uint32_t exporter = 0;     // its slot

  explicit operator bool() const { return sharing_ != nullptr; }
  // Ends the lease. When it returns, the callback will not be called, and is not running, unless it is what has called
  // this.
  void reset();
  // When the lease ends, an exporter that has shared a notify with anybody takes it as the loss of this process.
  void give_up() { given_up_ = true; }

 private:
  friend class Sharing;
  struct Watch;
  Sharing* sharing_ = nullptr;
  Lease lease_;
  bool given_up_ = false;
  std::shared_ptr<Watch> watch_;
};

class Sharing {
 public:
  explicit Sharing(HostTable& table);
  ~Sharing();

  // Hands `object` out to other processes of this uid, from now on until end(). `on_importer_lost` is called when a
  // process that had imported it vanished without giving it back. Errc::not_supported: other processes do not see
  // our host table.
  struct Importer {
    pid_t pid = 0;
    uint32_t slot = 0;
    uint8_t age = 0;  // of the slot
    uint64_t object = 0;  // what it had imported
  };
  using ImporterLost = std::function<void(const Importer&)>;
  // With object.tells_attendance `on_attendance` is called when that may be another one.
  Result<uint64_t> share(Export object, ImporterLost on_importer_lost = {}, std::function<void()> on_attendance = {});
  // More processes that may import it. Errc::invalid_argument: an empty list, no number of a process, or not exported
  // with a list; stale_handle: not shared (any more).
  Result<> allow(uint64_t id, std::span<const int32_t> pids);
  // REQUIRES: object.tells_attendance.
  Attendance attendance(uint64_t id);
  // Nobody can import it any more; what importers have stays theirs, and their loss is still told.
  void withdraw(uint64_t id);
  // The same, and the callbacks end. When it returns, none will be called,
  // and none is running, unless it is what has called this.
  void end(uint64_t id);
  // How many imports of it there are now.
  size_t importers(uint64_t id);

  // Takes what another process shares. `on_exporter_lost` is called once if that process leaves, in whatever way, before
  // the import is given back. Errc::invalid_argument: no number of a shared object, or one of this very process; stale_handle: not
  // shared (any more), of another kind, or with another secret; no_permission: this process is not on
  // the list; peer_lost: the exporter is gone; timeout: it does not answer.
  Result<Import> import(ObjectKind kind, const SharedKey& key, std::function<void()> on_exporter_lost = {});

  // This process uses nothing more of what others share but what it has imported now, until it imports again.
  void take_leave();

  // The slot of the process that exported `id`; Errc::invalid_argument when no process can have done so.
  Result<uint32_t> exporter_of(uint64_t id) const;
  uint32_t own_slot() const;
  // What we hold of processes that are gone.
  OrphanCounts& orphans() { return orphans_; }

 private:
  friend class Import;
  struct Peer;
  struct Shared;
  Result<Broker*> broker();
  void on_lost(uint64_t tag);
  void on_lease_lost(uint64_t id, const Importer& who);
  std::shared_ptr<Shared> shared_as(uint64_t id);
  Result<std::shared_ptr<Peer>> peer_at(uint32_t slot);
  std::shared_ptr<Peer> known_at(const std::string& address);
  // Takes out what known_at() made, if it could not be connected.
  void forget_unmet(std::shared_ptr<Peer> peer);
  // To an exporter that lives and drops our connections: more is no accident.
  static constexpr int kMostReconnects = 16;

  HostTable& table_;
  OrphanCounts orphans_{table_};
  std::mutex mutex_;  // guards all below
  std::map<uint64_t, std::shared_ptr<Shared>> shared_;   // by id
  std::map<std::string, std::shared_ptr<Peer>> peers_;   // by address; those that vanished are taken out
  std::map<uint64_t, std::shared_ptr<Peer>> by_tag_;
  uint64_t next_tag_ = 1;
  std::atomic<Broker*> broker_{nullptr};  // made once
};

}  // namespace canopy
