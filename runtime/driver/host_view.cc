#include "runtime/driver/host_view.h"

#include "runtime/base/waiter.h"
#include "runtime/driver/host_table_file.h"
#include "runtime/driver/slot_claim.h"

#include <algorithm>
#include <chrono>

namespace canopy {
namespace {

// A reset takes microseconds.
constexpr auto kResetPatience = std::chrono::seconds(2);
// Whoever is killed while he makes the table anew leaves it half made. Those who look at it hold it for microseconds, too, each in
// the way of the other's question whether anybody does.
constexpr auto kLookersPatience = std::chrono::milliseconds(200);

Result<> be_present(const UniqueFd& fd, const std::string& path) {
  bool present = false;  // wait_until() may ask again after a yes
  const auto settled = [&] {
    return present || (present = range_lock::try_take(fd, F_RDLCK, host_table::kPresenceByte));
  };
  if (wait_until(settled, nullptr, BellScope::host, Deadline::after(kResetPatience), [&] {
        return fmt::format("another process to finish resetting host table {}", path);
      }) == WaitEnd::deadline) {
    return fail(Errc::timeout, "host table {}: another process has been resetting it for {} s", path,
                kResetPatience.count());
  }
  return {};
}

}  // namespace

Result<std::optional<HostView>> HostView::open() {
  Result<std::optional<HostView>> view = look();
  const auto settled = [&] {
    if (!view && view.error().code == Errc::busy) {
      error_text::take_newest();
      view = look();
    }
    return view || view.error().code != Errc::busy;
  };
  wait_until(settled, nullptr, BellScope::host, Deadline::after(kLookersPatience),
             [] { return std::string("others who look at a damaged host table"); });
  return view;
}

Result<std::optional<HostView>> HostView::look() {
  const std::string path = host_table::default_path();
  auto fd = host_table::open_file(path, 0);
  if (!fd) {
    if (fd.error().native == ENOENT) {
      error_text::take_newest();  // no failure
      return std::optional<HostView>();
    }
    return tl::unexpected(fd.error());
  }
  CANOPY_TRY(host_table::check_ownership(*fd, path));
  CANOPY_TRY(be_present(*fd, path));
  CANOPY_ASSIGN(const struct stat found, host_table::check_ownership(*fd, path));
  // What nobody holds is the next process's to reset, whatever it is.
  const auto refuse = [&]() -> Result<std::optional<HostView>> {
    if (range_lock::try_take(*fd, F_WRLCK, host_table::kPresenceByte)) {
      return std::optional<HostView>();
    }
    return fail(Errc::busy,
                "host table {} is damaged or of another version, and other processes hold it; end them, or "
                "remove the file",
                path);
  };
  if (found.st_nlink == 0) {
    return std::optional<HostView>();  // removed just now
  }
  if (found.st_size != static_cast<off_t>(host_table::kFileBytes)) {
    return refuse();
  }
  CANOPY_ASSIGN(Mapping map, host_table::map_file(*fd, path));
  if (!map) {
    return std::optional<HostView>();
  }
  if (!host_table::is_ours(*reinterpret_cast<host_table::Header*>(map.base()))) {
    return refuse();
  }
  return std::optional(HostView(path, std::move(*fd), std::move(map)));
}

namespace {

// Of a process of `pid_namespace`; 0: not known.
void translate_pid(HostOwner* owner, uint64_t pid_namespace) {
  if (pid_namespace == 0) {
    return;
  }
  if (const pid_t here = pid_from_here(owner->pid, pid_namespace); here != 0) {
    owner->pid = here;
  } else {
    owner->pid_namespace = pid_namespace;
  }
}

}  // namespace

std::vector<HostOwner> HostView::owners() const {
  const auto* header = reinterpret_cast<const host_table::Header*>(map_.base());
  host_table::Slot* slots = host_table::slots_of(map_);
  const uint32_t end = std::min(load_relaxed(&header->high_water), host_table::kSlots);
  std::vector<HostOwner> list;
  bool dead_have_memory = false;
  for (uint32_t i = 0; i < end; ++i) {
    // Acquire: pairs with the claim of a slot.
    if (load_acquire(&slots[i].state) != host_table::kHeld) {
      continue;
    }
    const uint32_t age = load_relaxed(&slots[i].age);
    HostOwner owner = host_table::owner_in(slots[i]);
    // Asked behind the reading: who lives now lived then, or is the slot's next owner. Of one that nobody holds, all that was
    // read is the last one's.
    const bool held = range_lock::held_by_other(fd_, host_table::slot_byte(i));
    if (held && load_relaxed(&slots[i].pid) == owner.pid) {
      translate_pid(&owner, load_relaxed(&slots[i].pid_namespace));
      list.push_back(std::move(owner));
      continue;
    }
    if (!held && load_acquire(&slots[i].state) == host_table::kHeld && load_relaxed(&slots[i].age) == age) {
      host_table::tell_death(slots[i], age, owner, devices());
    }
    dead_have_memory = dead_have_memory ||
                       std::any_of(owner.used_bytes.begin(), owner.used_bytes.end(), [](uint64_t bytes) { return bytes != 0; });
  }
  if (dead_have_memory) {
    devices().announce();  // some of it may be others' to count now: orphan_counts.h
  }
  return list;
}

DeviceBook HostView::devices() const { return DeviceBook(host_table::devices_of(map_)); }

}  // namespace canopy
