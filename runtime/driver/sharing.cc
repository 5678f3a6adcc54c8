#include "runtime/driver/sharing.h"

#include "runtime/driver/host_table.h"
#include "runtime/driver/slot_claim.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace canopy {

namespace {

// A callback that can be taken back: whoever takes it back waits for a call that is under way, unless it is that call.
template <class... A>
class Revocable {
 public:
  explicit Revocable(std::function<void(A...)> callback) : callback_(std::move(callback)) {}

  void call(A... arguments) {
    std::lock_guard lock(mutex_);
    caller_.store(std::this_thread::get_id(), std::memory_order_relaxed);  // compared by this thread only
    if (callback_ && !revoked_.load(std::memory_order_relaxed)) {
      callback_(arguments...);
    }
    caller_.store({}, std::memory_order_relaxed);
  }
  void revoke() {
    revoked_.store(true, std::memory_order_relaxed);  // the mutex orders it, or it is this thread's
    if (caller_.load(std::memory_order_relaxed) != std::this_thread::get_id()) {
      std::lock_guard lock(mutex_);  // waits for a call that is under way
    }
  }

 private:
  std::mutex mutex_;  // held while the callback runs
  const std::function<void(A...)> callback_;
  std::atomic<std::thread::id> caller_{};
  std::atomic<bool> revoked_{false};
};

}  // namespace

struct Import::Watch : Revocable<> {
  using Revocable::Revocable;
};

struct Sharing::Shared {
  Shared(ImporterLost on_lost, std::function<void()> on_attendance) : lost(std::move(on_lost)), attendance(std::move(on_attendance)) {}
  Revocable<const Importer&> lost;
  Revocable<> attendance;
};

struct Sharing::Peer {
  std::string address;
  uint64_t tag = 0;
  bool lost = false;                                   // guarded by the Sharing's mutex, as what follows
  std::vector<std::weak_ptr<Import::Watch>> watches;   // of imports; those given back are swept when it grows
};

// ---- Import.

Import::Import(Import&& other) noexcept
    : fd(std::move(other.fd)), bytes(other.bytes), offset(other.offset), host_device(other.host_device), id(other.id),
      exporter(other.exporter), sharing_(std::exchange(other.sharing_, nullptr)), lease_(std::move(other.lease_)), given_up_(other.given_up_), watch_(std::move(other.watch_)) {}

Import& Import::operator=(Import&& other) noexcept {
  if (this != &other) {
    reset();
    fd = std::move(other.fd);
    bytes = other.bytes;
    offset = other.offset;
    host_device = other.host_device;
    id = other.id;
    exporter = other.exporter;
    sharing_ = std::exchange(other.sharing_, nullptr);
    lease_ = std::move(other.lease_);
    given_up_ = other.given_up_;
    watch_ = std::move(other.watch_);
  }
  return *this;
}

void Import::reset() {
  fd.reset();
  Sharing* sharing = std::exchange(sharing_, nullptr);
  if (sharing == nullptr) {
    return;
  }
  watch_->revoke();
  // By what the exporter gave us, not by the host table, where others could write.
  sharing->broker_.load(std::memory_order_acquire)->give_back(lease_, given_up_);
  watch_.reset();
}

// ---- Sharing.

Sharing::Sharing(HostTable& table) : table_(table) {}

// What is exported ends with the broker, and may come back here.
Sharing::~Sharing() { delete broker_.exchange(nullptr, std::memory_order_relaxed); }

uint32_t Sharing::own_slot() const { return table_.slot(); }

Result<Broker*> Sharing::broker() {
  if (Broker* made = broker_.load(std::memory_order_acquire)) {
    return made;
  }
  if (!table_.is_shared()) {
    return fail(Errc::not_supported,
                "nothing can be shared with other processes: the host table could not be kept at {}, so they do not see this one",
                table_.path());
  }
  std::lock_guard lock(mutex_);
  if (Broker* made = broker_.load(std::memory_order_relaxed)) {
    return made;
  }
  Broker::Options options;
  // To who uses what a process shared, it is the same whether that process was killed or finalized.
  options.on_lost = [this](uint64_t tag) { on_lost(tag); };
  options.on_left = options.on_lost;
  options.on_lease_lost = [this](uint64_t id, pid_t pid, uint64_t identity) {
    on_lease_lost(id, {pid, static_cast<uint32_t>(identity & 0xFFFF), static_cast<uint8_t>(identity >> 16), id});
  };
  options.on_attendance = [this](uint64_t id) {
    if (const auto entry = shared_as(id)) {
      entry->attendance.call();
    }
  };
  options.doubt = [this](uint64_t identity, pid_t pid) {
    return doubt_claim(table_, static_cast<uint32_t>(identity & 0xFFFF), static_cast<uint8_t>(identity >> 16), pid);
  };
  options.identity = uint64_t{table_.age()} << 16 | table_.slot();
  options.tag = static_cast<uint16_t>(table_.slot() + 1);
  CANOPY_ASSIGN(std::unique_ptr<Broker> made, Broker::start(std::move(options)));
  table_.announce_broker(made->name());
  // Release: the broker is whole before it is found.
  broker_.store(made.get(), std::memory_order_release);
  return made.release();
}

Result<uint64_t> Sharing::share(Export object, ImporterLost on_importer_lost, std::function<void()> on_attendance) {
  CANOPY_ASSIGN(Broker * mine, broker());
  auto entry = std::make_shared<Shared>(std::move(on_importer_lost), std::move(on_attendance));
  std::lock_guard lock(mutex_);  // an importer that vanishes at once finds the entry
  CANOPY_ASSIGN(const uint64_t id, mine->publish(std::move(object)));
  shared_.emplace(id, std::move(entry));
  return id;
}

Result<> Sharing::allow(uint64_t id, std::span<const int32_t> pids) {
  constexpr size_t kMostProcesses = 4'194'304;  // of a Linux system
  if (pids.size() > kMostProcesses) {
    return fail(Errc::invalid_argument, "a list of {} processes: there are {} at most", pids.size(), kMostProcesses);
  }
  const auto wrong = std::find_if(pids.begin(), pids.end(), [](int32_t pid) { return pid <= 0; });
  if (pids.empty() || wrong != pids.end()) {
    return fail(Errc::invalid_argument, "a list of {} processes{}: at least one, and numbers above 0, are wanted", pids.size(),
                wrong == pids.end() ? std::string() : fmt::format(" with the number {}", *wrong));
  }
  CANOPY_ASSIGN(Broker * mine, broker());
  auto done = mine->allow(id, ProcessList({pids.begin(), pids.end()}));
  if (!done && done.error().code == Errc::not_found) {
    error_text::take_newest();
    return fail(Errc::stale_handle, "{:#x} is not shared any more", id);
  }
  return done;
}

void Sharing::withdraw(uint64_t id) {
  // Null: this object is ending, and the broker's exports with it.
  if (Broker* mine = broker_.load(std::memory_order_acquire)) {
    mine->withdraw(id);
  }
}

void Sharing::end(uint64_t id) {
  std::shared_ptr<Shared> entry;
  {
    std::lock_guard lock(mutex_);
    auto found = shared_.extract(id);
    if (found.empty()) {
      return;
    }
    entry = std::move(found.mapped());
  }
  withdraw(id);
  entry->lost.revoke();
  entry->attendance.revoke();
}

Attendance Sharing::attendance(uint64_t id) {
  Broker* mine = broker_.load(std::memory_order_acquire);
  return mine == nullptr ? Attendance::expected : mine->attendance(id);
}

void Sharing::take_leave() {
  if (Broker* mine = broker_.load(std::memory_order_acquire)) {
    mine->take_leave();
  }
}

size_t Sharing::importers(uint64_t id) {
  Broker* mine = broker_.load(std::memory_order_acquire);
  return mine == nullptr ? 0 : mine->leases(id);
}

std::shared_ptr<Sharing::Shared> Sharing::shared_as(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto found = shared_.find(id);
  return found == shared_.end() ? nullptr : found->second;
}

void Sharing::on_lease_lost(uint64_t id, const Importer& who) {
  if (const auto entry = shared_as(id)) {
    entry->lost.call(who);
  }
}

void Sharing::on_lost(uint64_t tag) {
  std::vector<std::weak_ptr<Import::Watch>> watches;
  std::string address;
  {
    std::lock_guard lock(mutex_);
    auto found = by_tag_.extract(tag);
    if (found.empty()) {
      return;
    }
    Peer& peer = *found.mapped();
    peer.lost = true;
    watches = std::move(peer.watches);
    address = peer.address;
    if (const auto at = peers_.find(peer.address); at != peers_.end() && at->second.get() == &peer) {
      peers_.erase(at);
    }
  }
  broker_.load(std::memory_order_acquire)->disconnect(address, tag);  // or it is remembered for ever
  for (const auto& each : watches) {
    if (const auto watch = each.lock()) {
      watch->call();
    }
  }
}

Result<uint32_t> Sharing::exporter_of(uint64_t id) const {
  const uint64_t tag = id & 0xFFFF;
  if (tag == 0 || tag > HostTable::max_slots() || id >> 16 == 0) {
    return fail(Errc::invalid_argument, "{:#x} is no handle that a process of this host has exported", id);
  }
  return static_cast<uint32_t>(tag - 1);
}

// Connected, and watched from now on.
Result<std::shared_ptr<Sharing::Peer>> Sharing::peer_at(uint32_t slot) {
  CANOPY_ASSIGN(Broker * mine, broker());
  const auto name = table_.broker_of(slot);
  if (!name) {
    return fail(Errc::peer_lost, "the process that exported it is gone, or is one that cannot be seen from here");
  }
  const std::string address = name->address();
  for (int attempt = 0; attempt < kMostReconnects; ++attempt) {
    std::shared_ptr<Peer> peer = known_at(address);
    const auto tag = mine->connect(address, peer->tag);
    if (!tag) {
      forget_unmet(std::move(peer));
      if (tag.error().code == Errc::not_found) {
        error_text::take_newest();
        if (const auto holder = table_.holder_of(slot); holder && lives_in_another_network(holder->pid, holder->pid_namespace)) {
          return fail(Errc::not_supported, "the process that exported it, {}, lives in another network namespace, where its broker "
                      "cannot be reached from here", holder->pid);
        }
        return fail(Errc::peer_lost, "the process that exported it is gone");
      }
      return tl::unexpected(tag.error());
    }
    {
      std::lock_guard lock(mutex_);
      if (const auto its = by_tag_.find(*tag); its != by_tag_.end()) {
        return its->second;  // normally ours
      }
    }
    // It goes by the tag of a connection that had ended when this one was made: nobody would hear of its end.
    mine->disconnect(address, *tag);
  }
  return fail(Errc::peer_lost, "the process that exported it has ended {} connections, one after the other", kMostReconnects);
}

std::shared_ptr<Sharing::Peer> Sharing::known_at(const std::string& address) {
  std::lock_guard lock(mutex_);
  auto& known = peers_[address];
  if (known == nullptr) {
    known = std::make_shared<Peer>();
    known->address = address;
    known->tag = next_tag_++;
    by_tag_.emplace(known->tag, known);
  }
  return known;
}

void Sharing::forget_unmet(std::shared_ptr<Peer> peer) {
  std::lock_guard lock(mutex_);
  // Nobody else has met it alive, nor is about to: only the two maps and this call know it.
  if (peer->watches.empty() && peer.use_count() == 3) {
    by_tag_.erase(peer->tag);
    if (const auto at = peers_.find(peer->address); at != peers_.end() && at->second == peer) {
      peers_.erase(at);
    }
  }
}

Result<Import> Sharing::import(ObjectKind kind, const SharedKey& key, std::function<void()> on_exporter_lost) {
  CANOPY_ASSIGN(const uint32_t slot, exporter_of(key.id));
  if (slot == table_.slot()) {
    std::unique_lock lock(mutex_);
    const bool is_ours = shared_.contains(key.id);
    lock.unlock();
    if (!is_ours) {  // ended, or of one that is gone and had this slot before us
      return fail(Errc::stale_handle, "{:#x} is not, or no longer, shared by the process that it names", key.id);
    }
    return fail(Errc::invalid_argument, "{:#x} was exported by this very process; it can be imported in others only",
                key.id);
  }
  CANOPY_ASSIGN(const std::shared_ptr<Peer> peer, peer_at(slot));
  Broker* mine = broker_.load(std::memory_order_acquire);
  auto fetched = mine->fetch(peer->address, FetchRequest{key.id, kind, key.secret, true});
  if (!fetched) {
    if (fetched.error().code == Errc::not_found) {
      error_text::take_newest();
      return fail(Errc::stale_handle, "{:#x} is not, or no longer, shared by the process that it names", key.id);
    }
    if (fetched.error().code == Errc::closed) {
      error_text::take_newest();
      return fail(Errc::peer_lost, "the process that exported {:#x} has left, or ended the connection, just now", key.id);
    }
    return tl::unexpected(fetched.error());
  }
  Import result;
  result.fd = std::move(fetched->fd);
  result.bytes = fetched->bytes;
  result.offset = fetched->offset;
  result.host_device = fetched->device;
  result.id = key.id;
  result.exporter = slot;
  result.lease_ = std::move(fetched->lease);
  result.sharing_ = this;
  result.watch_ = std::make_shared<Import::Watch>(std::move(on_exporter_lost));
  std::unique_lock lock(mutex_);
  if (peer->lost) {
    lock.unlock();
    return fail(Errc::peer_lost, "the process that exported {:#x} died just now", key.id);
  }
  if (peer->watches.size() == peer->watches.capacity()) {
    std::erase_if(peer->watches, [](const auto& each) { return each.expired(); });
  }
  peer->watches.push_back(result.watch_);
  return result;
}

}  // namespace canopy
