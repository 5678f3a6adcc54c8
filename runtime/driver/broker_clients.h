// BrokerClients: the serving half of a Broker: who is connected to us, and what they may fetch.
//
// Not thread-safe: the Broker's mutex guards it, and the broker's thread makes all calls except
// publish(), withdraw() and, after that thread has ended, say_goodbye(). Nothing here blocks. A
// client that breaks the protocol is dropped with one line in the log; the others do not notice.
// One user: broker.cc.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/random_id.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/broker_connection.h"
#include "runtime/driver/broker_protocol.h"
#include "runtime/driver/complaints.h"
#include "runtime/driver/listed_processes.h"
#include "runtime/driver/process_list.h"
#include "runtime/driver/same_user.h"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <system_error>
#include <unordered_map>
#include <memory>
#include <utility>
#include <vector>

namespace canopy {

// Adds `fd` to the epoll set; its events carry `token`.
inline bool epoll_watch(const UniqueFd& epoll, int fd, uint64_t token, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}
// Other `events` for what is watched already.
inline void epoll_rewatch(const UniqueFd& epoll, int fd, uint64_t token, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, fd, &event);
}
inline void epoll_unwatch(const UniqueFd& epoll, int fd) {
  ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

class BrokerClients {
 public:
  using Doubt = std::function<std::string(uint64_t identity, pid_t pid)>;
  // All outlive this object. `doubt`: Broker::Doubt; empty: nobody is doubted.
  BrokerClients(const std::string& address, const UniqueFd& epoll, const Doubt& doubt)
      : complaints_(address), epoll_(epoll), doubt_(doubt), limit_(limit_of_process()), listed_(epoll, limit_ / 4) {}

  uint64_t publish(Export object, uint16_t tag);
  enum class Allowed { yes, unknown, without_list };
  // Takes tokens for processes that it has not watched before.
  Allowed allow(uint64_t id, const ProcessList& pids, uint64_t& next_token);
  Attendance attendance(uint64_t id) const;
  void withdraw(uint64_t id);
  size_t leases(uint64_t id) const;

  // What nobody needs any more, and the leases of who vanished: taken under the mutex, dealt with outside of it.
  struct Remains {
    struct LostLease {
      uint64_t id;
      pid_t pid;
      uint64_t identity;
    };
    std::vector<std::shared_ptr<Export>> objects;
    std::vector<LostLease> lost;
    std::vector<uint64_t> attendance;  // ids; of each may be another one now
  };
  Remains take_remains() { return std::exchange(remains_, {}); }

  // Takes an accepted socket in, or refuses it.
  void admit(UniqueFd socket, uint64_t token);
  // Serves one message of a client, or learns of a listed process's end. False: `token` is nobody here.
  bool handle(uint64_t token);
  // Drops those who had their time to say hello, and looks at listed processes; returns when there is more of it (~0: never).
  uint64_t run_timers(uint64_t now_ns) { return std::min(drop_silent(now_ns), listed_.look(now_ns, &remains_.attendance)); }
  // What allow() has changed wants run_timers() to be called.
  bool wants_timers() const { return listed_.has_unwatched(); }
  void say_goodbye();
  // In a forked child: ends the connections there, and nothing else. What is exported or leased is left as it is: its
  // end takes locks that a thread of the parent's may hold.
  void close_in_child();

 private:
  static constexpr uint64_t kGreetNs = 10'000'000'000;

  // By the object, then by the FETCH that took it: those of one object in order of age.
  struct LeaseName {
    uint64_t id;
    uint64_t serial;
    auto operator<=>(const LeaseName&) const = default;
  };
  using Leases = std::multimap<LeaseName, std::shared_ptr<Export>>;  // serials are the client's word
  // Every process of a job has one of every other's: what is small stands together, and most have no leases.
  struct Client {
    UniqueFd socket;
    bool greeted = false;
    bool leaving = false;  // has said goodbye
    bool on_leave = false;  // uses only what it has leases of
    broker_socket::Credentials who;
    uint64_t greet_by_ns = 0;
    uint64_t identity = 0;
    std::unique_ptr<Leases> own_leases;  // null until the first
    Leases& leases() {
      if (own_leases == nullptr) {
        own_leases = std::make_unique<Leases>();
      }
      return *own_leases;
    }
    const Leases& leases() const {
      static const Leases none;
      return own_leases != nullptr ? *own_leases : none;
    }
  };
  // Per client: as many as it could map (vm.max_map_count). Each costs us memory until it is given back.
  static constexpr size_t kMostLeases = 65'536;

  // Half of what the process may open: the other half stays for its own work. One client process may have a quarter
  // of these (a process has one connection for each Driver and each World in it): the others stay for others.
  static size_t limit_of_process() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    return std::max<size_t>(1, files.rlim_cur / 2);
  }
  size_t limit_of_client() const { return std::max<size_t>(1, limit_ / 4); }
  broker_protocol::Status judge(const broker_socket::Credentials& who);
  void take_lease(Client& client, const broker_protocol::Message& request, const std::shared_ptr<Export>& object);
  // One lease of `object` less.
  void note_end_of_lease(uint64_t id, const Export& object);
  static bool has_lease(const Client& client, uint64_t id);
  // False when the client is to go, with a complaint unless it leaves by itself.
  bool serve(Client& client, std::string& complaint);
  bool answer(Client& client, const broker_protocol::Message& request, std::string& complaint);
  const std::shared_ptr<Export>* look_up(const Client& client, const broker_protocol::Message& request,
                                         broker_protocol::Message& reply) const;
  void give_back(Client& client, LeaseName name, bool given_up);
  void drop(uint64_t token, const std::string& complaint);
  uint64_t drop_silent(uint64_t now_ns);

  Complaints complaints_;
  const UniqueFd& epoll_;
  const Doubt& doubt_;
  const size_t limit_;
  std::unordered_map<uint64_t, Client> clients_;       // by token
  size_t strangers_ = 0;                               // clients that have not said hello
  std::unordered_map<pid_t, size_t> connections_of_;   // by process; never 0
  std::unordered_map<uint64_t, std::shared_ptr<Export>> published_;  // by id
  std::unordered_map<uint64_t, size_t> leases_of_;  // by id, of exports that tell of their attendance
  ListedProcesses listed_;                     // for such exports
  Remains remains_;
};

inline uint64_t BrokerClients::publish(Export object, uint16_t tag) {
  uint64_t id;
  do {
    id = (random_id() & ~uint64_t{0xFFFF}) | tag;
  } while (id == tag || published_.contains(id));
  if (object.tells_attendance) {
    leases_of_.emplace(id, 0);
  }
  published_.emplace(id, std::make_shared<Export>(std::move(object)));
  return id;
}

inline BrokerClients::Allowed BrokerClients::allow(uint64_t id, const ProcessList& pids, uint64_t& next_token) {
  const auto found = published_.find(id);
  if (found == published_.end()) {
    return Allowed::unknown;
  }
  if (!found->second->listed_only) {
    return Allowed::without_list;
  }
  for (const ProcessList::Entry& process : pids.entries()) {
    found->second->pids.add(process);
    if (found->second->tells_attendance) {
      listed_.add(id, process, next_token);
    }
  }
  return Allowed::yes;
}

inline Attendance BrokerClients::attendance(uint64_t id) const {
  const auto leases = leases_of_.find(id);
  if (leases == leases_of_.end() || leases->second != 0) {
    return Attendance::expected;
  }
  return listed_.deserted(id) ? Attendance::deserted : listed_.some_to_come(id) ? Attendance::expected : Attendance::absent;
}

inline void BrokerClients::withdraw(uint64_t id) {
  if (auto found = published_.extract(id)) {
    listed_.forget(id, found.mapped()->pids);
    leases_of_.erase(id);
    remains_.objects.push_back(std::move(found.mapped()));
  }
}

inline size_t BrokerClients::leases(uint64_t id) const {
  size_t sum = 0;
  for (const auto& [token, client] : clients_) {
    sum += static_cast<size_t>(std::distance(client.leases().lower_bound({id, 0}), client.leases().upper_bound({id, ~0ull})));
  }
  return sum;
}

inline broker_protocol::Status BrokerClients::judge(const broker_socket::Credentials& who) {
  if (!is_our_user(who.uid, who.pid)) {
    complaints_.tell("refused", who.pid, "it belongs to uid {}{}", who.uid,
                     who.uid == ::geteuid() ? ", which stands for all users that this user namespace does not map" : "");
    return broker_protocol::Status::foreign_user;
  }
  if (const auto its = connections_of_.find(who.pid); its != connections_of_.end() && its->second >= limit_of_client()) {
    complaints_.tell("refused", who.pid, "it has {} connections already", its->second);
    return broker_protocol::Status::too_many_clients;
  }
  if (clients_.size() >= limit_) {
    complaints_.tell("refused", who.pid, "{} connections are open", limit_);
    return broker_protocol::Status::too_many_clients;
  }
  return broker_protocol::Status::ok;
}

inline void BrokerClients::admit(UniqueFd socket, uint64_t token) {
  Client client;
  client.who = broker_socket::peer_credentials(socket);
  if (const auto status = judge(client.who); status != broker_protocol::Status::ok) {
    // Serial 0: nobody has asked yet.
    broker_socket::send_message(socket, {.op = broker_protocol::Op::hello_reply, .status = status});
    return;
  }
  if (!epoll_watch(epoll_, socket.get(), token, EPOLLIN | EPOLLRDHUP)) {
    complaints_.tell("cannot watch", client.who.pid, "{}", std::system_category().message(errno));
    return;
  }
  client.socket = std::move(socket);
  client.greet_by_ns = monotonic_ns() + kGreetNs;
  ++connections_of_[client.who.pid];
  clients_.emplace(token, std::move(client));
  ++strangers_;
}

inline bool BrokerClients::handle(uint64_t token) {
  const auto client = clients_.find(token);
  if (client == clients_.end()) {
    return listed_.handle(token, &remains_.attendance);
  }
  std::string complaint;
  if (!serve(client->second, complaint)) {
    drop(token, complaint);
  }
  return true;
}

// One message only: epoll reports the next one after the others had their turn.
inline bool BrokerClients::serve(Client& client, std::string& complaint) {
  broker_protocol::Message request;
  switch (broker_socket::receive_message(client.socket, request, nullptr)) {
    case broker_socket::Got::nothing_yet:
      return true;
    case broker_socket::Got::end:
      return false;
    case broker_socket::Got::misbehaved:
      complaint = "sent what is not a message";
      return false;
    case broker_socket::Got::message:
      break;
  }
  client.leaving = request.op == broker_protocol::Op::goodbye;
  return !client.leaving && answer(client, request, complaint);
}

inline bool BrokerClients::answer(Client& client, const broker_protocol::Message& request,
                                  std::string& complaint) {
  using broker_protocol::Op;
  broker_protocol::Message reply{.op = Op::hello_reply, .serial = request.serial, .id = request.id};
  int passed = -1;
  if (request.version != broker_protocol::kVersion) {
    reply.status = broker_protocol::Status::foreign_version;
    broker_socket::send_message(client.socket, reply);
    complaint =
        fmt::format("speaks version {}, not {}", request.version, broker_protocol::kVersion);
    return false;
  }
  const std::shared_ptr<Export>* found = nullptr;
  if (request.op == Op::hello && !client.greeted) {
    complaint = doubt_ ? doubt_(request.id, client.who.pid) : std::string();
    if (!complaint.empty()) {
      reply.status = broker_protocol::Status::not_who_it_says;
      broker_socket::send_message(client.socket, reply);
      return false;
    }
    client.greeted = true;
    client.identity = request.id;
    --strangers_;
  } else if (request.op == Op::fetch && client.greeted) {
    found = look_up(client, request, reply);
    passed = found == nullptr ? -1 : (*found)->fd->get();
  } else if (request.op == Op::give_back && client.greeted) {
    give_back(client, {request.id, request.serial}, request.kind == 1);
    return true;
  } else if (request.op == Op::leave && client.greeted) {
    client.on_leave = true;
    listed_.take_leave({client.who.pid, client.who.identity}, [&](uint64_t id) { return has_lease(client, id); }, &remains_.attendance);
    return true;
  } else {
    complaint =
        fmt::format("sent operation {} where it makes no sense", static_cast<uint16_t>(request.op));
    return false;
  }
  if (found == nullptr && reply.op == Op::fetch_reply) {
    complaints_.tell("refused", client.who.pid, "{:#x}: {}", request.id,
                     reply.status == broker_protocol::Status::not_allowed       ? "its pid is not on the list"
                     : reply.status == broker_protocol::Status::too_many_leases ? "it has as many imports as it may have"
                                                                                : "no such object, kind or key");
  }
  broker_socket::Sent sent = broker_socket::send_message(client.socket, reply, passed);
  if (sent == broker_socket::Sent::crowded) {
    // Not this client's doing: it gets an answer, not a hang-up.
    complaints_.tell("refused", client.who.pid, "{:#x}: {}", request.id, "this user has too many descriptors on the way that nobody takes");
    found = nullptr;
    reply.status = broker_protocol::Status::too_many_on_the_way;
    sent = broker_socket::send_message(client.socket, reply);
  }
  if (sent == broker_socket::Sent::full) {
    complaint = "does not read its replies";
  }
  if (sent == broker_socket::Sent::done && found != nullptr && request.leased != 0) {
    take_lease(client, request, *found);
  }
  return sent == broker_socket::Sent::done;
}

// Completes a FETCH_REPLY; returns what is to go with it, or null. A wrong kind or secret gets the answer of an
// unknown id: who guesses learns nothing.
inline const std::shared_ptr<Export>* BrokerClients::look_up(const Client& client,
                                                             const broker_protocol::Message& request,
                                                             broker_protocol::Message& reply) const {
  reply.op = broker_protocol::Op::fetch_reply;
  const auto found = published_.find(request.id);
  if (found == published_.end() || static_cast<uint32_t>(found->second->kind) != request.kind ||
      !(found->second->secret == Secret{{request.secret[0], request.secret[1]}})) {
    reply.status = broker_protocol::Status::unknown_id;
    return nullptr;
  }
  const Export& object = *found->second;
  if (object.listed_only && !object.pids.has(client.who.pid, client.who.identity)) {
    reply.status = broker_protocol::Status::not_allowed;
    return nullptr;
  }
  if (request.leased != 0 && client.leases().size() >= kMostLeases) {
    reply.status = broker_protocol::Status::too_many_leases;
    return nullptr;
  }
  reply.bytes = object.bytes;
  reply.offset = object.offset;
  reply.device = object.device;
  return &found->second;
}

// Of an export with a list those who are away are known; of one without, given up is as good as lost.
inline void BrokerClients::give_back(Client& client, LeaseName name, bool given_up) {
  Leases& leases = client.leases();
  const auto lease = name.serial == 0 ? leases.lower_bound(name) : leases.find(name);
  if (lease != leases.end() && lease->first.id == name.id) {
    remains_.objects.push_back(std::move(lease->second));
    leases.erase(lease);
    const Export& object = *remains_.objects.back();
    if (given_up && object.tells_attendance && !object.listed_only) {
      remains_.lost.push_back({name.id, client.who.pid, client.identity});
    }
    note_end_of_lease(name.id, object);
    if (client.on_leave && !has_lease(client, name.id)) {
      listed_.take_leave_of(name.id, {client.who.pid, client.who.identity}, &remains_.attendance);
    }
  }
}

inline void BrokerClients::take_lease(Client& client, const broker_protocol::Message& request, const std::shared_ptr<Export>& object) {
  client.leases().emplace(LeaseName{request.id, request.serial}, object);
  client.on_leave = false;
  if (const auto leases = leases_of_.find(request.id); leases != leases_of_.end()) {
    if (++leases->second == 1) {
      remains_.attendance.push_back(request.id);
    }
    listed_.note_fetch(request.id, {client.who.pid, client.who.identity}, &remains_.attendance);
  }
}

inline void BrokerClients::note_end_of_lease(uint64_t id, const Export& object) {
  if (!object.tells_attendance) {
    return;
  }
  if (const auto leases = leases_of_.find(id); leases != leases_of_.end() && --leases->second == 0) {
    remains_.attendance.push_back(id);
  }
}

inline bool BrokerClients::has_lease(const Client& client, uint64_t id) {
  const auto first = client.leases().lower_bound({id, 0});
  return first != client.leases().end() && first->first.id == id;
}

inline void BrokerClients::drop(uint64_t token, const std::string& complaint) {
  const auto entry = clients_.find(token);
  if (!complaint.empty()) {
    complaints_.tell("dropped", entry->second.who.pid, "it {}", complaint);
  }
  strangers_ -= entry->second.greeted ? 0 : 1;
  const auto leases = std::exchange(entry->second.own_leases, nullptr);
  for (Leases none; auto& [name, object] : leases != nullptr ? *leases : none) {
    if (!entry->second.leaving) {
      remains_.lost.push_back({name.id, entry->second.who.pid, entry->second.identity});
    }
    note_end_of_lease(name.id, *object);
    remains_.objects.push_back(std::move(object));
  }
  epoll_unwatch(epoll_, entry->second.socket.get());
  if (const auto its = connections_of_.find(entry->second.who.pid); --its->second == 0) {
    connections_of_.erase(its);
  }
  clients_.erase(entry);
}

inline uint64_t BrokerClients::drop_silent(uint64_t now_ns) {
  uint64_t next = ~0ull;
  if (strangers_ == 0) {
    return next;
  }
  std::vector<uint64_t> late;
  for (const auto& [token, client] : clients_) {
    if (!client.greeted && client.greet_by_ns <= now_ns) {
      late.push_back(token);
    } else if (!client.greeted) {
      next = std::min(next, client.greet_by_ns);
    }
  }
  for (const uint64_t token : late) {
    drop(token, "said nothing for 10 s");
  }
  return next;
}

inline void BrokerClients::say_goodbye() {
  for (const auto& [token, client] : clients_) {
    broker_socket::send_message(client.socket, {.op = broker_protocol::Op::goodbye});
  }
}

inline void BrokerClients::close_in_child() {
  for (auto& [token, client] : clients_) {
    client.socket.reset();
  }
  listed_.close_in_child();
}

}  // namespace canopy
