#include "runtime/driver/broker.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mapping.h"
#include "runtime/base/random_id.h"
#include "runtime/base/start_thread.h"
#include "runtime/driver/broker_clients.h"
#include "runtime/driver/broker_connection.h"
#include "runtime/driver/fork_registry.h"
#include "runtime/driver/same_user.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

namespace canopy {

namespace {

constexpr uint64_t kMuteNs = 100'000'000;             // listener's pause when descriptors run out
constexpr int kEventsAtOnce = 64;
constexpr int kAcceptsAtOnce = 16;  // then the others get a turn

// What epoll says an event is about. Tokens are never reused, so a late event finds nobody.
constexpr uint64_t kListenerToken = 0;
constexpr uint64_t kWakeToken = 1;
constexpr uint64_t kFirstToken = 2;

// Of a peer. No EPOLLIN: replies belong to the fetching thread; a hang-up is always reported.
constexpr uint32_t kHangUp = EPOLLRDHUP;

tl::unexpected<Error> forked_error() {
  return fail(Errc::forked, "this broker was started before fork; the child must start its own");
}

}  // namespace

// Threads: the broker's thread serves clients and watches peers; all calls of the public interface
// may come from any other. After a fork the child has no such thread: its copy closes every
// socket (one that stayed open in the child would hide the parent's death from its peers),
// refuses all calls, and is leaked by ~Broker, with all that it exports.
struct Broker::State {
  struct Peer {
    std::shared_ptr<BrokerConnection> connection;  // shared with the fetch() calls under way
    uint64_t token;
    uint64_t tag;
  };
  struct Watched {
    std::shared_ptr<BrokerConnection> connection;
    uint64_t tag;
  };

  BrokerName name;
  std::string address;
  Options options;
  UniqueFd listener, epoll, wake;
  std::atomic<bool> stopping{false};
  std::atomic<bool> forked{false};

  std::mutex mutex;  // guards all below; never held while on_lost runs or anything waits
  BrokerClients clients{address, epoll, options.doubt};
  uint64_t muted_until_ns = 0;                  // 0: the listener is heard
  uint64_t next_complaint_ns = 0;               // about a muted listener
  // Held for clients to come: a process that allocates until it has no descriptor left goes on sharing what it has.
  std::vector<UniqueFd> reserve;
  // By the address that the connection holds; gone ones included until disconnect().
  std::unordered_map<std::string_view, Peer> peers;
  std::unordered_map<uint64_t, Watched> watched;  // by token; who takes an entry out ends the peer
  uint64_t next_token = kFirstToken;
  std::thread thread;

  // On the broker's thread.
  void run();
  void handle(uint64_t token, uint32_t events);
  void deal_with_remains(std::unique_lock<std::mutex>& lock);
  void accept_clients();
  void fill_reserve();
  void mute_listener(int err);
  int run_timers();
  bool woken_to_stop();

  // Has the broker's thread look at its timers, or stop.
  void wake_thread();
  std::shared_ptr<BrokerConnection> connection_to(const std::string& to);
  // Has the broker's thread tell what was given back when there is room.
  void tell_later(const std::shared_ptr<BrokerConnection>& connection);
  bool in_child() const { return forked.load(std::memory_order_relaxed); }  // set before any thread

  void before_fork() { mutex.lock(); }
  void after_fork_in_parent() { mutex.unlock(); }
  void after_fork_in_child();
};

// --- the broker's thread ---

void Broker::State::run() {
  ::pthread_setname_np(::pthread_self(), "canopy-broker");
  epoll_event events[kEventsAtOnce];
  for (;;) {
    const int count = ::epoll_wait(epoll.get(), events, kEventsAtOnce, run_timers());
    for (int i = 0; i < count; ++i) {
      const uint64_t token = events[i].data.u64;
      if (token == kWakeToken) {
        if (woken_to_stop()) {
          return;
        }
      } else if (token == kListenerToken) {
        accept_clients();
      } else {
        handle(token, events[i].events);
      }
    }
  }
}

// Ends what has waited too long; returns how long to sleep, in ms for epoll (-1: nothing is timed,
// the normal case).
int Broker::State::run_timers() {
  std::unique_lock lock(mutex);
  const uint64_t now = monotonic_ns();
  uint64_t next = clients.run_timers(now);
  if (muted_until_ns != 0 && muted_until_ns <= now) {
    muted_until_ns = 0;
    epoll_watch(epoll, listener.get(), kListenerToken, EPOLLIN);
  } else if (muted_until_ns != 0) {
    next = std::min(next, muted_until_ns);
  }
  deal_with_remains(lock);
  return next == ~0ull ? -1 : static_cast<int>((next - now) / 1'000'000 + 1);
}

bool Broker::State::woken_to_stop() {
  uint64_t times;
  CHECK(::read(wake.get(), &times, sizeof times) == sizeof times, "an eventfd that was written to is readable");
  return stopping.load(std::memory_order_acquire);
}

void Broker::State::wake_thread() {
  const uint64_t one = 1;
  CHECK(::write(wake.get(), &one, sizeof one) == sizeof one, "an eventfd takes one write");
}

void Broker::State::handle(uint64_t token, uint32_t events) {
  std::unique_lock lock(mutex);
  if (clients.handle(token)) {
    deal_with_remains(lock);
    return;
  }
  const auto entry = watched.find(token);
  if (entry == watched.end()) {
    return;
  }
  if (events == EPOLLOUT) {
    // Under the mutex from the last look to the change: who finds the queue full in between asks again behind it.
    if (entry->second.connection->tell_given_back()) {
      epoll_rewatch(epoll, entry->second.connection->fd(), token, kHangUp);
    }
    return;
  }
  const Watched peer = std::move(entry->second);
  watched.erase(entry);
  epoll_unwatch(epoll, peer.connection->fd());
  const bool orderly = peer.connection->drain();
  peer.connection->close();
  lock.unlock();
  if (const LostCallback& told = orderly ? options.on_left : options.on_lost) {
    told(peer.tag);
  }
}

// Destructors and callbacks may come back here: not under the mutex.
void Broker::State::deal_with_remains(std::unique_lock<std::mutex>& lock) {
  const BrokerClients::Remains remains = clients.take_remains();
  lock.unlock();
  for (const auto& lease : remains.lost) {
    if (options.on_lease_lost) {
      options.on_lease_lost(lease.id, lease.pid, lease.identity);
    }
  }
  for (const uint64_t id : remains.attendance) {
    if (options.on_attendance) {
      options.on_attendance(id);
    }
  }
}

void Broker::State::accept_clients() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int err = socket ? 0 : errno;
    std::lock_guard lock(mutex);
    if (socket) {
      clients.admit(std::move(socket), next_token++);
      fill_reserve();
    } else if (err == EMFILE && !reserve.empty()) {
      reserve.pop_back();
    } else if (err == EAGAIN) {
      return;
    } else if (err != EINTR && err != ECONNABORTED) {
      mute_listener(err);
      return;
    }
  }
}

// REQUIRES: mutex held, or no thread yet.
void Broker::State::fill_reserve() {
  constexpr size_t kMost = 16;
  const size_t wanted = std::clamp<size_t>(static_cast<size_t>(::sysconf(_SC_OPEN_MAX)) / 32, 1, kMost);
  while (reserve.size() < wanted) {
    UniqueFd one(::fcntl(wake.get(), F_DUPFD_CLOEXEC, 0));
    if (!one) {
      return;
    }
    reserve.push_back(std::move(one));
  }
}

// Without free descriptors the listener would stay readable, and the thread would run in circles.
void Broker::State::mute_listener(int err) {
  const uint64_t now = monotonic_ns();
  if (now >= next_complaint_ns) {
    constexpr uint64_t kComplaintNs = 10'000'000'000;
    next_complaint_ns = now + kComplaintNs;
    log(LogLevel::warn, "broker {}: cannot accept connections, tried again every {} ms: {}", address, kMuteNs / 1'000'000,
        std::system_category().message(err));
  }
  epoll_unwatch(epoll, listener.get());
  muted_until_ns = now + kMuteNs;
}

void Broker::State::after_fork_in_child() {
  forked.store(true, std::memory_order_relaxed);  // the child has one thread
  listener.reset();
  epoll.reset();
  wake.reset();
  reserve.clear();
  clients.close_in_child();
  for (auto& [where, peer] : peers) {
    peer.connection->close_in_child();
  }
  mutex.unlock();
}

// --- the public face ---

BrokerName BrokerName::random() {
  BrokerName name;
  while (name.high == 0) {
    name = {random_id(), random_id()};
  }
  return name;
}

std::string BrokerName::address() const { return fmt::format("canopy.{:016x}{:016x}", high, low); }

Secret Secret::random() { return {{random_id(), random_id()}}; }

Result<std::unique_ptr<Broker>> Broker::start(Options options) {
  auto state = std::make_unique<State>();
  state->name = BrokerName::random();
  state->address = state->name.address();
  state->options = std::move(options);
  CANOPY_ASSIGN(state->listener, broker_socket::listen_at(state->address));
  state->epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  state->wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->epoll || !state->wake ||
      !epoll_watch(state->epoll, state->listener.get(), kListenerToken, EPOLLIN) ||
      !epoll_watch(state->epoll, state->wake.get(), kWakeToken, EPOLLIN)) {
    return fail_errno(Errc::limit, errno, "broker: no descriptor left to wait on");
  }
  learn_users();
  state->fill_reserve();
  CANOPY_TRY(start_thread(&state->thread, "the broker, which serves other processes", [raw = state.get()] { raw->run(); }));
  return std::unique_ptr<Broker>(new Broker(std::move(state)));
}

Broker::Broker(std::unique_ptr<State> state) : state_(std::move(state)) {
  ForkRegistry<State>::instance().add(state_.get());
}

Broker::~Broker() {
  ForkRegistry<State>::instance().remove(state_.get());
  if (state_->in_child()) {
    // Leaked: its thread exists in the parent only, and can neither be joined nor forgotten here.
    (void)state_.release();
    return;
  }
  CHECK(std::this_thread::get_id() != state_->thread.get_id(),
        "destroy the Broker from another thread than the one that calls on_lost");
  // Release: pairs with woken_to_stop().
  state_->stopping.store(true, std::memory_order_release);
  state_->wake_thread();
  state_->thread.join();
  for (const auto& [token, peer] : state_->watched) {
    peer.connection->shut();
  }
  state_->clients.say_goodbye();
}

const std::string& Broker::address() const { return state_->address; }

BrokerName Broker::name() const { return state_->name; }

Result<uint64_t> Broker::publish(const UniqueFd& fd, uint64_t bytes, const std::vector<pid_t>& pids) {
  auto copy = std::make_shared<UniqueFd>(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!*copy) {
    const int err = errno;
    return fail_errno(err == EBADF ? Errc::invalid_argument : Errc::limit, err, "fd {} cannot be published", fd.get());
  }
  Export object{.fd = std::move(copy), .bytes = bytes, .secret = {}, .pids = pids, .owner = {}};
  object.listed_only = !pids.empty();
  return publish(std::move(object));
}

Result<uint64_t> Broker::publish(Export object) {
  if (state_->in_child()) {
    return forked_error();
  }
  struct stat found {};
  if (::fstat(object.fd->get(), &found) != 0) {
    return fail_errno(Errc::invalid_argument, errno, "cannot publish fd {}", object.fd->get());
  }
  if (!lies_within(object.offset, object.bytes, static_cast<uint64_t>(found.st_size))) {
    return fail(Errc::invalid_argument, "cannot publish {} bytes from {} on of fd {}, which has {}", object.bytes,
                object.offset, object.fd->get(), found.st_size);
  }
  if (!is_sealed(*object.fd)) {
    return fail(Errc::invalid_argument, "fd {} cannot be published: it is no memory file sealed against shrinking, so an importer could cut it off",
                object.fd->get());
  }
  std::lock_guard lock(state_->mutex);
  return state_->clients.publish(std::move(object), state_->options.tag);
}

Result<> Broker::allow(uint64_t id, const ProcessList& pids) {
  if (state_->in_child()) {
    return forked_error();
  }
  std::lock_guard lock(state_->mutex);
  switch (state_->clients.allow(id, pids, state_->next_token)) {
    case BrokerClients::Allowed::yes:
      if (state_->clients.wants_timers()) {
        state_->wake_thread();
      }
      return {};
    case BrokerClients::Allowed::unknown:
      return fail(Errc::not_found, "nothing is published as {:#x}", id);
    case BrokerClients::Allowed::without_list:
      return fail(Errc::invalid_argument, "{:#x} was exported for all processes of this user, without a check of pids: there is no list", id);
  }
  return {};
}

Attendance Broker::attendance(uint64_t id) const {
  if (state_->in_child()) {
    return Attendance::expected;
  }
  std::lock_guard lock(state_->mutex);
  return state_->clients.attendance(id);
}

size_t Broker::leases(uint64_t id) const {
  if (state_->in_child()) {
    return 0;
  }
  std::lock_guard lock(state_->mutex);
  return state_->clients.leases(id);
}

void Broker::withdraw(uint64_t id) {
  if (state_->in_child()) {
    return;
  }
  BrokerClients::Remains remains;  // ends outside of the mutex
  std::lock_guard lock(state_->mutex);
  state_->clients.withdraw(id);
  remains = state_->clients.take_remains();
}

Result<uint64_t> Broker::connect(const std::string& address, uint64_t tag) {
  if (state_->in_child()) {
    return forked_error();
  }
  const auto connected = [&]() -> std::optional<uint64_t> {
    const auto peer = state_->peers.find(address);
    const bool alive = peer != state_->peers.end() && state_->watched.contains(peer->second.token);
    return alive ? std::optional(peer->second.tag) : std::nullopt;
  };
  {
    std::lock_guard lock(state_->mutex);
    if (const auto there = connected()) {
      return *there;
    }
  }
  CANOPY_ASSIGN(auto connection, BrokerConnection::open(address, state_->options.identity, Deadline::after(state_->options.patience)));
  std::unique_lock lock(state_->mutex);
  if (const auto there = connected()) {  // by another thread meanwhile
    lock.unlock();
    connection->shut();
    return *there;
  }
  const uint64_t token = state_->next_token++;
  if (!epoll_watch(state_->epoll, connection->fd(), token, kHangUp)) {
    return fail_errno(Errc::limit, errno, "broker '{}' cannot be watched", address);
  }
  state_->peers.erase(address);  // and not assigned to: the key goes with the connection
  state_->peers.emplace(connection->address(), State::Peer{connection, token, tag});
  state_->watched.emplace(token, State::Watched{std::move(connection), tag});
  return tag;
}

std::shared_ptr<BrokerConnection> Broker::State::connection_to(const std::string& to) {
  std::lock_guard lock(mutex);
  const auto peer = peers.find(to);
  return peer == peers.end() ? nullptr : peer->second.connection;
}

void Broker::State::tell_later(const std::shared_ptr<BrokerConnection>& connection) {
  std::lock_guard lock(mutex);
  const auto peer = peers.find(connection->address());
  // Else it has ended, and all its leases with it.
  if (peer != peers.end() && peer->second.connection == connection && watched.contains(peer->second.token)) {
    epoll_rewatch(epoll, connection->fd(), peer->second.token, kHangUp | EPOLLOUT);
  }
}

void Broker::give_back(const Lease& lease, bool given_up) {
  if (state_->in_child()) {
    return;
  }
  if (const auto connection = lease.connection.lock(); connection && !connection->give_back(lease.id, lease.serial, given_up)) {
    state_->tell_later(connection);
  }
}

void Broker::take_leave() {
  if (state_->in_child()) {
    return;
  }
  std::vector<std::shared_ptr<BrokerConnection>> connections;
  {
    std::lock_guard lock(state_->mutex);
    for (const auto& [token, peer] : state_->watched) {
      connections.push_back(peer.connection);
    }
  }
  for (const auto& connection : connections) {
    if (!connection->leave()) {
      state_->tell_later(connection);
    }
  }
}

Result<FetchedMemory> Broker::fetch(const std::string& address, const FetchRequest& request) {
  if (state_->in_child()) {
    return forked_error();
  }
  const Deadline deadline = Deadline::after(state_->options.patience);
  const std::shared_ptr<BrokerConnection> connection = state_->connection_to(address);
  if (!connection) {
    return fail(Errc::closed, "broker '{}' is not connected: connect() comes before fetch(), or the connection has ended",
                address);
  }
  auto memory = connection->fetch(request, deadline);
  if (!memory && !connection->tell_given_back()) {
    state_->tell_later(connection);
  }
  return memory;
}

void Broker::disconnect(const std::string& address, std::optional<uint64_t> tag) {
  if (state_->in_child()) {
    return;
  }
  std::unique_lock lock(state_->mutex);
  const auto found = state_->peers.find(address);
  if (found == state_->peers.end() || (tag && *tag != found->second.tag)) {
    return;
  }
  auto peer = state_->peers.extract(found);
  if (state_->watched.erase(peer.mapped().token) == 0) {
    return;  // gone already
  }
  epoll_unwatch(state_->epoll, peer.mapped().connection->fd());
  lock.unlock();
  peer.mapped().connection->shut();
}

}  // namespace canopy
