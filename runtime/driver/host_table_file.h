// The host table's file: finding, opening, checking and joining it. Everything here treats what
// lies at the path as written by others. For host_table.cc and host_view.cc.
#pragma once

#include "runtime/base/env.h"
#include "runtime/base/mapping.h"
#include "runtime/base/printable.h"
#include "runtime/base/random_id.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/host_table_layout.h"
#include "runtime/driver/range_lock.h"
#include "runtime/driver/same_user.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

namespace canopy::host_table {

inline std::string default_path() {
  return env::text("CANOPY_HOST_TABLE").value_or(fmt::format("/dev/shm/canopy-{}", ::geteuid()));
}

// The error of an open(2) or a write that failed. Errc::io means that no file can be kept at
// `path`, and a private table is the way out; every other code is final.
inline tl::unexpected<Error> cannot_open(const std::string& path, int err) {
  struct stat found {};
  if (err == ELOOP) {
    return fail_errno(Errc::no_permission, err, "host table {} is a symbolic link; not followed",
                      path);
  }
  if (err == EISDIR || err == ENXIO) {  // anybody may have made it: what is no file is refused as a stranger's file is
    return fail_errno(Errc::no_permission, err, "host table {} is a {}, not a file", path, err == EISDIR ? "directory" : "socket");
  }
  // fs.protected_regular answers EACCES even to root for a stranger's file in a sticky directory.
  if (err == EACCES && ::lstat(path.c_str(), &found) == 0) {
    return fail_errno(Errc::no_permission, err,
                      "host table {} belongs to uid {} with mode {:o}, and uid {} may not use it",
                      path, found.st_uid, found.st_mode & 07777, ::geteuid());
  }
  if (err == EMFILE || err == ENFILE) {
    return fail_errno(Errc::limit, err, "host table {}: no file descriptor left", path);
  }
  return fail_errno(Errc::io, err, "host table {} cannot be created or written", path);
}

// Refuses what is not a plain file of this user that only this user can reach. The number of links
// matters because a damaged table is overwritten: a second name would be somebody's other file.
inline Result<struct stat> check_ownership(const UniqueFd& fd, const std::string& path) {
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) {
    return fail_errno(Errc::io, errno, "host table {} cannot be examined", path);
  }
  if (!S_ISREG(found.st_mode)) {
    return fail(Errc::no_permission, "host table {} is not a regular file (mode {:o})", path,
                found.st_mode);
  }
  if (!is_our_file(fd, found)) {
    return fail(Errc::no_permission, "host table {} belongs to uid {}, not to uid {}; refused",
                path, found.st_uid, ::geteuid());
  }
  if ((found.st_mode & 077) != 0) {
    return fail(Errc::no_permission, "host table {} is open to other users (mode {:o}, not 600)",
                path, found.st_mode & 07777);
  }
  if (found.st_nlink > 1) {
    return fail(Errc::no_permission, "host table {} has {} names (hard links), not 1; refused",
                path, found.st_nlink);
  }
  return found;
}

inline Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600));
  if (!fd) {
    return cannot_open(path, errno);
  }
  return fd;
}

// Maps the file through an open file description of its own: a mapping keeps its description alive,
// in forked children too, and with it the locks. No mapping when `path` names another file by now.
inline Result<Mapping> map_file(const UniqueFd& fd, const std::string& path) {
  UniqueFd again(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!again && errno != ENOENT) {
    return cannot_open(path, errno);
  }
  struct stat mine {
  }, found{};
  if (!again || ::fstat(again.get(), &found) != 0 || ::fstat(fd.get(), &mine) != 0 ||
      mine.st_ino != found.st_ino || mine.st_dev != found.st_dev) {
    return Mapping();
  }
  return Mapping::shared(again, kFileBytes);
}

// Gives the file its size and its pages now: a full /dev/shm is an error here and a SIGBUS later.
inline Result<> size_file(const UniqueFd& fd, const std::string& path) {
  if (!file_size_allowed(kFileBytes)) {
    return cannot_open(path, EFBIG);
  }
  if (::ftruncate(fd.get(), kFileBytes) != 0) {
    return cannot_open(path, errno);
  }
  if (const int err = ::posix_fallocate(fd.get(), 0, kFileBytes); err != 0) {
    return cannot_open(path, err);
  }
  return {};
}

// REQUIRES: nobody else uses the table.
inline Result<> reset(Mapping& map) {
  std::fill_n(map.base(), kFileBytes, std::byte{0});
  auto* header = reinterpret_cast<Header*>(map.base());
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  int err = ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  err = err != 0 ? err : ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  err = err != 0 ? err : ::pthread_mutex_init(&header->mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  if (err != 0) {
    return fail_errno(Errc::io, err, "no robust mutex between processes on this system");
  }
  header->version = kVersion;
  header->header_bytes = sizeof(Header);
  header->slot_bytes = sizeof(Slot);
  header->slot_count = kSlots;
  header->devices = kMaxDevices;
  header->mutex_bytes = sizeof(pthread_mutex_t);
  header->identity[0] = random_id();
  header->identity[1] = random_id();
  // Last: a reset that was killed half-way leaves no valid header. Release pairs with is_ours().
  store_release(&header->magic, kMagic);
  return {};
}

inline bool is_ours(const Header& header) {
  // Acquire: pairs with reset().
  return load_acquire(&header.magic) == kMagic && header.version == kVersion &&
         header.header_bytes == sizeof(Header) && header.slot_bytes == sizeof(Slot) &&
         header.slot_count == kSlots && header.devices == kMaxDevices &&
         header.mutex_bytes == sizeof(pthread_mutex_t) && header.high_water <= kSlots;
}

inline DeviceArea* devices_of(const Mapping& map) { return reinterpret_cast<DeviceArea*>(map.base() + kDevicesOffset); }
inline Slot* slots_of(const Mapping& map) { return reinterpret_cast<Slot*>(map.base() + kSlotsOffset); }

// What a slot says of its owner.
inline HostOwner owner_in(const Slot& slot) {
  HostOwner owner;
  // Acquire: the descriptor is this inode's; pairs with HostTable::announce_stats().
  owner.stats_inode = load_acquire(&slot.stats_inode);
  owner.stats_fd = load_relaxed(&slot.stats_fd);
  owner.pid = load_relaxed(&slot.pid);
  owner.name = printable({slot.name, ::strnlen(slot.name, sizeof slot.name)});
  for (const uint32_t& pages : slot.used_pages) {
    owner.used_bytes.push_back(load_relaxed(&pages) * kPageBytes);
  }
  owner.open_devices = load_relaxed(&slot.open_devices);
  return owner;
}

// Whoever ends without closing his devices: killed, or at exit. One event per device, told by whoever notices first.
// REQUIRES: `owner` is what the slot said of the owner with that age, who is dead.
inline void tell_death(Slot& slot, uint32_t age, const HostOwner& owner, const DeviceBook& devices) {
  std::atomic_ref told(slot.told_age);
  uint32_t seen = told.load(std::memory_order_relaxed);
  // Relaxed: of two who notice, one is first.
  if (seen == age || !told.compare_exchange_strong(seen, age, std::memory_order_relaxed)) {
    return;
  }
  for (int device = 0; device < kMaxDevices; ++device) {
    const uint64_t held = owner.used_bytes[static_cast<size_t>(device)];
    if (held != 0 || (owner.open_devices >> device & 1) != 0) {
      devices.events().add_of(owner.pid, EventKind::died, device, held, owner.name);
    }
  }
}

// One opened table: the description that carries the locks, and the mapping.
struct TableFile {
  std::string path;
  UniqueFd lock_fd;
  Mapping map;

  // Joins the table at `path`, resetting it if nobody else holds it. Errors: io (no file can be
  // kept there), no_permission, limit, timeout, busy (others hold a table that is damaged or
  // foreign).
  Result<> join();
  // A table in a memory file that nobody else sees.
  Result<> join_private();

 private:
  enum class Outcome { done, busy, damaged, replaced };
  Result<Outcome> try_join();
  Result<Outcome> join_once();
};

inline Result<TableFile::Outcome> TableFile::try_join() {
  const bool alone = range_lock::try_take(lock_fd, F_WRLCK, kPresenceByte);
  if (!alone && !range_lock::try_take(lock_fd, F_RDLCK, kPresenceByte)) {
    if (errno != EAGAIN && errno != EACCES) {
      return fail_errno(Errc::io, errno, "host table {}: the file system has no locks", path);
    }
    return Outcome::busy;  // somebody resets it just now
  }
  CANOPY_ASSIGN(const struct stat found, check_ownership(lock_fd, path));
  if (found.st_nlink == 0) {
    return Outcome::replaced;
  }
  if (alone) {
    CANOPY_TRY(size_file(lock_fd, path));
  } else if (found.st_size != static_cast<off_t>(kFileBytes)) {
    range_lock::drop(lock_fd, kPresenceByte);
    return Outcome::damaged;
  }
  CANOPY_ASSIGN(map, map_file(lock_fd, path));
  if (!map) {
    return Outcome::replaced;
  }
  if (alone) {
    CANOPY_TRY(reset(map));
    range_lock::try_take(lock_fd, F_RDLCK, kPresenceByte);  // downgrade: nothing can be in the way
  } else if (!is_ours(*reinterpret_cast<Header*>(map.base()))) {
    range_lock::drop(lock_fd, kPresenceByte);
    return Outcome::damaged;
  }
  return Outcome::done;
}

inline Result<TableFile::Outcome> TableFile::join_once() {
  CANOPY_ASSIGN(lock_fd, open_file(path, O_CREAT));
  CANOPY_TRY(check_ownership(lock_fd, path));
  std::optional<Result<Outcome>> outcome;
  // A damaged table must stay held for a moment before its holders are believed to live: two
  // openers that meet on one see each other's probing locks.
  const Deadline probing = Deadline::after(std::chrono::milliseconds(100));
  bool over = false;  // wait_until() may ask again after a yes
  const auto settled = [&] {
    if (over) {
      return true;
    }
    outcome = try_join();
    over = !*outcome || **outcome == Outcome::done || **outcome == Outcome::replaced ||
           (**outcome == Outcome::damaged && probing.passed(monotonic_ns()));
    return over;
  };
  wait_until(settled, nullptr, BellScope::host, Deadline::after(std::chrono::seconds(10)), [&] {
    return fmt::format("another process to finish resetting host table {}", path);
  });
  return *outcome;
}

inline Result<> TableFile::join() {
  constexpr int kReplacedLimit = 16;
  Outcome outcome = Outcome::replaced;
  for (int i = 0; i < kReplacedLimit && outcome == Outcome::replaced; ++i) {
    CANOPY_ASSIGN(outcome, join_once());
  }
  switch (outcome) {
    case Outcome::done:
      return {};
    case Outcome::busy:
      return fail(Errc::timeout, "host table {}: another process has been resetting it for 10 s",
                  path);
    case Outcome::damaged:
      return fail(
          Errc::busy,
          "host table {} is damaged or of another version, and other processes hold it; end "
          "them, or remove the file",
          path);
    case Outcome::replaced:
      break;
  }
  return fail(Errc::busy, "host table {} was replaced {} times while it was opened", path,
              kReplacedLimit);
}

inline Result<> TableFile::join_private() {
  CANOPY_ASSIGN(lock_fd, sealed_memfd("canopy-host-table", kFileBytes));
  CANOPY_ASSIGN(map, Mapping::shared(lock_fd, kFileBytes));
  return reset(map);
}

}  // namespace canopy::host_table
