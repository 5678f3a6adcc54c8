#include "runtime/driver/host_table.h"

#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/fork_registry.h"
#include "runtime/driver/host_table_file.h"
#include "runtime/driver/host_table_layout.h"
#include "runtime/driver/range_lock.h"
#include "runtime/driver/slot_claim.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>
#include <tuple>

namespace canopy {

using host_table::Header;
using host_table::kHeld;
using host_table::kSlots;
using host_table::Slot;
using host_table::slot_byte;

namespace {

constexpr auto kMutexPatience = std::chrono::seconds(10);
constexpr size_t kRetiredMappings = 8;

// Holds the table's mutex.
class TableLock {
 public:
  static Result<TableLock> take(pthread_mutex_t* mutex, const std::string& path) {
    int err = EBUSY;
    // Not pthread_mutex_lock: a holder that is stopped in a debugger must not stop the host.
    // wait_until() may ask again after a yes.
    const auto settled = [&] {
      return err != EBUSY || (err = ::pthread_mutex_trylock(mutex)) != EBUSY;
    };
    wait_until(settled, nullptr, BellScope::host, Deadline::after(kMutexPatience),
               [&] { return fmt::format("the mutex of host table {}", path); });
    if (err == EBUSY) {
      return fail(Errc::timeout, "host table {}: its mutex was not free for {} s", path,
                  kMutexPatience.count());
    }
    if (err != 0 && err != EOWNERDEAD) {
      return fail_errno(Errc::internal, err, "host table {}: its mutex cannot be taken", path);
    }
    if (err == EOWNERDEAD) {
      ::pthread_mutex_consistent(mutex);
    }
    return TableLock(mutex, err == EOWNERDEAD);
  }
  TableLock(TableLock&& other) noexcept
      : mutex_(std::exchange(other.mutex_, nullptr)), inherited_(other.inherited_) {}
  ~TableLock() {
    if (mutex_ != nullptr) {
      ::pthread_mutex_unlock(mutex_);
    }
  }
  bool inherited() const { return inherited_; }  // from a holder that died

 private:
  TableLock(pthread_mutex_t* mutex, bool inherited) : mutex_(mutex), inherited_(inherited) {}
  pthread_mutex_t* mutex_;
  bool inherited_;
};

uint64_t pages_of(uint64_t bytes) {
  return bytes / host_table::kPageBytes + (bytes % host_table::kPageBytes != 0);
}

tl::unexpected<Error> forked_error(const std::string& path) {
  return fail(Errc::forked, "host table {} was opened before fork; the child must open its own",
              path);
}

}  // namespace

// Three things keep a slot honest across fork. The child closes the lock descriptor (an inherited
// one would keep a dead parent's slot alive), which does not unlock: an open file description
// unlocks with its last descriptor. It never asks for an unlock, which would free the parent's slot
// at once. And the mapping, which the child keeps, belongs to another description (map_file()).
struct HostTable::State {
  host_table::TableFile file;
  uint32_t slot_index = kSlots;  // none yet
  uint32_t age = 0;              // of the slot; as what we hold, not taken from where others could write
  bool private_ = false;         // a memory file that nobody else sees
  std::array<uint64_t, 2> identity{};
  // What this process holds, in pages. The slot shows it to others, who could write there by mistake or on purpose;
  // what we hold is not taken from there.
  std::mutex used_mutex;  // guards changes of both
  std::array<uint32_t, kMaxDevices> used_pages{};
  std::atomic<bool> forked{false};

  Header& header() const { return *reinterpret_cast<Header*>(file.map.base()); }
  Slot* slots() const { return host_table::slots_of(file.map); }
  DeviceBook devices() const { return DeviceBook(host_table::devices_of(file.map)); }
  Slot& own() const { return slots()[slot_index]; }
  bool in_child() const { return forked.load(std::memory_order_relaxed); }  // set before any thread
  // Slots from here on are free.
  uint32_t end() const { return std::min(load_relaxed(&header().high_water), kSlots); }

  Result<TableLock> lock();
  Result<> claim_slot();
  void leave();
  void attach_budget();
  bool is_live(uint32_t index) const;
  void free_slot(uint32_t index);
  bool note_death(uint32_t index);
  void sweep();
  std::pair<uint64_t, int> sum(int device, bool only_live) const;
  void set_used(int device, uint32_t pages);  // REQUIRES: used_mutex

  void before_fork() {}
  void after_fork_in_parent() {}
  void after_fork_in_child();
};

// Whoever inherits the mutex from a dead holder finds nothing half-done that counts: sums are not
// stored, and a slot that was being claimed or freed is free, or dead and swept here.
Result<TableLock> HostTable::State::lock() {
  auto taken = TableLock::take(&header().mutex, file.path);
  if (taken && taken->inherited()) {
    sweep();
  }
  return taken;
}

Result<> HostTable::State::claim_slot() {
  CANOPY_ASSIGN(const TableLock held, lock());
  sweep();
  for (uint32_t i = 0; i < kSlots; ++i) {
    Slot& slot = slots()[i];
    // A free slot can still be locked: by a copy of its last owner's descriptor that is just going.
    if (slot.state == kHeld || !range_lock::try_take(file.lock_fd, F_WRLCK, slot_byte(i))) {
      continue;
    }
    slot_index = i;
    slot.pid = ::getpid();
    slot.pid_namespace = own_pid_namespace();
    age = slot.age + 1;
    store_relaxed(&slot.age, age);
    std::memset(slot.name, 0, sizeof slot.name);
    const std::string_view program = program_invocation_short_name;
    if (program.size() < host_table::kNameBytes) {
      program.copy(slot.name, program.size());
    } else {
      const size_t kept = whole_characters(program, host_table::kNameBytes - 2);
      program.copy(slot.name, kept);
      slot.name[kept] = '~';
    }
    store_relaxed(&header().high_water, std::max(header().high_water, i + 1));
    // Release: pairs with the acquire in is_live().
    store_release(&slot.state, kHeld);
    return {};
  }
  return fail(Errc::limit, "host table {}: all {} slots are held by live processes", file.path,
              kSlots);
}

void HostTable::State::attach_budget() {
  SpinBudget::attach(&header().spin_used, &own().spin_permits,
                     static_cast<uint32_t>(usable_cores() - 1));
}

bool HostTable::State::is_live(uint32_t index) const {
  // Acquire: pairs with claim_slot(). Ours counts without asking: a lock is no conflict to itself, and it is
  // held whatever the table says.
  return index == slot_index ||
         (load_acquire(&slots()[index].state) == kHeld && range_lock::held_by_other(file.lock_fd, slot_byte(index)));
}

// REQUIRES: the mutex is held, and the slot is ours or its owner is dead. May be killed anywhere:
// the slot stays held until all of it is clean.
void HostTable::State::free_slot(uint32_t index) {
  Slot& slot = slots()[index];
  // Spin permits go back to the host. An owner counts the host's word first and its own after it,
  // and takes them back in the other order, so what is given back here was surely counted: a kill
  // between two words costs the host one permit until the next reset, and never adds one.
  // Relaxed: counters, they order nothing.
  const uint32_t permits =
      std::atomic_ref<uint32_t>(slot.spin_permits).exchange(0, std::memory_order_relaxed);
  std::atomic_ref<uint32_t> used(header().spin_used);
  uint32_t seen = used.load(std::memory_order_relaxed);
  while (permits != 0 && !used.compare_exchange_weak(seen, seen - std::min(seen, permits),
                                                     std::memory_order_relaxed)) {
  }
  for (uint32_t& pages : slot.used_pages) {
    store_relaxed(&pages, 0);
  }
  store_relaxed(&slot.broker[0], 0);
  store_relaxed(&slot.broker[1], 0);
  store_relaxed(&slot.stats_inode, 0);
  // Who slept when it was killed would be woken for ever.
  store_relaxed(&slot.bell.bell.sleepers, 0);
  store_relaxed(&slot.bell.news, 0);
  store_relaxed(&slot.open_devices, 0);
  // Release: whoever sees the slot free sees it clean; pairs with the acquire in is_live().
  store_release(&slot.state, host_table::kFree);
}

// True when it held memory.
bool HostTable::State::note_death(uint32_t index) {
  Slot& slot = slots()[index];
  const HostOwner owner = host_table::owner_in(slot);
  host_table::tell_death(slot, load_relaxed(&slot.age), owner, devices());
  return std::any_of(owner.used_bytes.begin(), owner.used_bytes.end(), [](uint64_t bytes) { return bytes != 0; });
}

// Frees the slots of the dead. REQUIRES: the mutex is held.
void HostTable::State::sweep() {
  uint32_t last = end();
  bool memory_freed = false;
  for (uint32_t i = 0; i < last; ++i) {
    if (slots()[i].state == kHeld && !is_live(i)) {
      memory_freed = note_death(i) || memory_freed;
      free_slot(i);
    }
  }
  if (memory_freed) {
    devices().announce();  // some of it may be others' to count now: orphan_counts.h
  }
  while (last > 0 && slots()[last - 1].state != kHeld) {
    --last;
  }
  store_relaxed(&header().high_water, last);
}

// Bytes used on `device`, and by how many owners. Without only_live, dead owners count too, which
// spares a system call per owner.
std::pair<uint64_t, int> HostTable::State::sum(int device, bool only_live) const {
  const uint32_t mine = load_relaxed(&used_pages[static_cast<size_t>(device)]);
  uint64_t bytes = mine * host_table::kPageBytes;
  int users = mine != 0 ? 1 : 0;
  for (uint32_t i = 0; i < end(); ++i) {
    const uint32_t pages = i == slot_index ? 0 : load_relaxed(&slots()[i].used_pages[device]);
    if (pages != 0 && (!only_live || is_live(i))) {
      bytes += pages * host_table::kPageBytes;
      ++users;
    }
  }
  return {bytes, users};
}

void HostTable::State::set_used(int device, uint32_t pages) {
  store_relaxed(&used_pages[static_cast<size_t>(device)], pages);
  store_relaxed(&own().used_pages[device], pages);
}

void HostTable::State::after_fork_in_child() {
  forked.store(true, std::memory_order_relaxed);  // the child has one thread
  file.lock_fd.reset();
  SpinBudget::detach();
}

void HostTable::State::leave() {
  if (const auto held = lock()) {
    free_slot(slot_index);
  } else {
    log(LogLevel::warn, "{}; its slot is left for others to free", error_text::newest());
  }
  // Asked for, not left to close(): a child of posix_spawn may hold a copy for a moment.
  range_lock::drop_all(file.lock_fd);
}

Result<std::unique_ptr<HostTable>> HostTable::open() {
  auto state = std::make_unique<State>();
  state->file.path = host_table::default_path();
  if (auto joined = state->file.join(); !joined) {
    if (joined.error().code != Errc::io) {
      return tl::unexpected(joined.error());
    }
    static std::atomic_flag said;
    if (!said.test_and_set(std::memory_order_relaxed)) {  // relaxed: guards one line of text
      log(LogLevel::warn, "{}; what other processes use of the devices is not seen",
          error_text::newest());
    }
    error_text::take_newest();
    CANOPY_TRY(state->file.join_private());
    state->private_ = true;
  }
  state->identity = {state->header().identity[0], state->header().identity[1]};
  CANOPY_TRY(state->claim_slot());
  return std::unique_ptr<HostTable>(new HostTable(std::move(state)));
}

HostTable::HostTable(std::unique_ptr<State> state) : state_(std::move(state)) {
  ForkRegistry<State>::instance().edit([&](std::vector<State*>& tables) {
    tables.push_back(state_.get());
    state_->attach_budget();
  });
}

HostTable::~HostTable() {
  // A waiter may be about to count a permit in the mapping that we take from under it: the newest
  // few stay mapped. Guarded by the registry's mutex.
  static auto* retired = new std::deque<Mapping>;
  ForkRegistry<State>::instance().edit([&](std::vector<State*>& tables) {
    std::erase(tables, state_.get());
    if (state_->in_child()) {
      return;  // nothing here is the child's, and its spin budget is its own already
    }
    const auto next =
        std::find_if(tables.rbegin(), tables.rend(), [](State* t) { return !t->in_child(); });
    if (next != tables.rend()) {
      (*next)->attach_budget();
    } else {
      SpinBudget::detach();
    }
    state_->leave();
    retired->push_back(std::move(state_->file.map));
    if (retired->size() > kRetiredMappings) {
      retired->pop_front();
    }
  });
}

void HostTable::number_devices(const std::vector<int>& ids) { host_ids_ = ids; }

int HostTable::host_id(int device) const {
  const int end = host_ids_.empty() ? kMaxDevices : static_cast<int>(host_ids_.size());
  if (device < 0 || device >= end) {
    return -1;
  }
  return host_ids_.empty() ? device : host_ids_[static_cast<size_t>(device)];
}

int HostTable::local_id(int host_device) const {
  if (host_ids_.empty()) {
    return host_device;
  }
  const auto found = std::find(host_ids_.begin(), host_ids_.end(), host_device);
  return found == host_ids_.end() ? -1 : static_cast<int>(found - host_ids_.begin());
}

Result<> HostTable::reserve(int device, uint64_t bytes, uint64_t capacity) {
  const int at = host_id(device);
  if (at < 0) {
    return fail(Errc::bad_device, "device {} is not within 0..{}", device, kMaxDevices - 1);
  }
  if (state_->in_child()) {
    return forked_error(state_->file.path);
  }
  const uint64_t asked = bytes;
  bytes = std::max(asked, pages_of(asked) * host_table::kPageBytes);  // what is too much stays so
  CANOPY_ASSIGN(const TableLock held, state_->lock());
  auto [used, users] = state_->sum(at, false);
  if (used > capacity || bytes > capacity - used) {
    state_->sweep();
    std::tie(used, users) = state_->sum(at, false);
  }
  if (used > capacity || bytes > capacity - used) {
    return fail(
        Errc::no_memory,
        "device {}: {} bytes wanted, {} free; {} of {} bytes are in use by {} process(es) of "
        "this user",
        device, asked, used > capacity ? 0 : capacity - used, used, capacity, users);
  }
  const uint64_t pages = bytes / host_table::kPageBytes;
  // Reservations are ordered by the table's mutex, and release() only ever makes room.
  const std::lock_guard lock(state_->used_mutex);
  const uint32_t before = state_->used_pages[static_cast<size_t>(at)];
  if (pages > ~0u - before) {
    return fail(Errc::no_memory, "device {}: {} bytes wanted; one process can use {} bytes of a device", device, asked,
                ~0u * host_table::kPageBytes);
  }
  state_->set_used(at, before + static_cast<uint32_t>(pages));
  return {};
}

void HostTable::release(int device, uint64_t bytes) {
  if (state_->in_child()) {
    return;
  }
  const int at = host_id(device);
  CHECK(at >= 0, "release() a device that reserve() took");
  const uint64_t pages = pages_of(bytes);
  const std::lock_guard lock(state_->used_mutex);
  const uint32_t before = state_->used_pages[static_cast<size_t>(at)];
  CHECK(before >= pages, "release() no more than reserve() took");
  state_->set_used(at, before - static_cast<uint32_t>(pages));
}

bool HostTable::take_name(uint64_t name) {
  return !state_->in_child() && range_lock::try_take(state_->file.lock_fd, F_WRLCK, host_table::name_byte(name));
}

void HostTable::drop_name(uint64_t name) {
  if (!state_->in_child()) {
    range_lock::drop(state_->file.lock_fd, host_table::name_byte(name));
  }
}

uint64_t HostTable::used_bytes(int device) const {
  const int at = host_id(device);
  if (at < 0 || state_->in_child()) {
    return 0;
  }
  const uint64_t used = state_->sum(at, true).first;
  if (used != state_->sum(at, false).first) {
    if (const auto held = state_->lock()) {
      state_->sweep();  // dead owners with memory: who holds it now is told
    }
  }
  return used;
}

void HostTable::set_open(int device, bool open) {
  const int at = host_id(device);
  if (at < 0 || state_->in_child()) {
    return;
  }
  std::atomic_ref<uint64_t> mask(state_->own().open_devices);
  const uint64_t bit = uint64_t{1} << at;
  if (open) {
    mask.fetch_or(bit, std::memory_order_relaxed);  // relaxed: for display
  } else {
    mask.fetch_and(~bit, std::memory_order_relaxed);
  }
}

std::vector<HostOwner> HostTable::owners() const {
  std::vector<HostOwner> list;
  if (state_->in_child()) {
    return list;
  }
  const auto held = state_->lock();
  if (!held) {
    return list;  // the sentence is in the error text
  }
  state_->sweep();
  for (uint32_t i = 0; i < state_->end(); ++i) {
    if (const Slot& slot = state_->slots()[i]; slot.state == kHeld) {
      list.push_back(host_table::owner_in(slot));
    }
  }
  return list;
}

DeviceBook HostTable::devices() const { return state_->devices(); }

void HostTable::announce_stats(int fd, uint64_t inode) {
  if (state_->in_child()) {
    return;
  }
  store_relaxed(&state_->own().stats_fd, fd);
  // Release: pairs with owner_in().
  store_release(&state_->own().stats_inode, inode);
}

const std::string& HostTable::path() const { return state_->file.path; }

uint32_t HostTable::slot() const { return state_->slot_index; }

uint8_t HostTable::age() const { return static_cast<uint8_t>(state_->age); }

std::optional<HostTable::Holder> HostTable::holder_of(uint32_t slot) const {
  if (slot >= kSlots || state_->in_child() || !state_->is_live(slot)) {
    return std::nullopt;
  }
  const Slot& held = state_->slots()[slot];
  return Holder{load_relaxed(&held.pid), load_relaxed(&held.pid_namespace), static_cast<uint8_t>(load_relaxed(&held.age))};
}

uint32_t HostTable::max_slots() { return kSlots; }

bool HostTable::is_shared() const { return !state_->private_; }

std::array<uint64_t, 2> HostTable::identity() const { return state_->identity; }

void HostTable::announce_broker(BrokerName name) {
  if (state_->in_child()) {
    return;
  }
  Slot& slot = state_->own();
  store_relaxed(&slot.broker[1], name.low);
  // Release: the name is whole; pairs with broker_of().
  store_release(&slot.broker[0], name.high);
}

std::optional<BrokerName> HostTable::broker_of(uint32_t slot) const {
  if (slot >= kSlots) {
    return std::nullopt;
  }
  const Slot& found = state_->slots()[slot];
  // Acquire: pairs with announce_broker(). A slot that changes hands meanwhile gives a name that nobody has.
  const uint64_t high = load_acquire(&found.broker[0]);
  if (high == 0 || load_acquire(&found.state) != kHeld) {
    return std::nullopt;
  }
  return BrokerName{high, load_relaxed(&found.broker[1])};
}

PeerBell& HostTable::bell_of(uint32_t slot) const {
  CHECK(slot < kSlots, "a slot is one of the table's");
  return state_->slots()[slot].bell;
}

}  // namespace canopy
