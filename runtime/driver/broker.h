// Broker: hands memory of this process to other processes of the host, and notices when they die.
//
// One thread per Broker sleeps in epoll on an abstract SEQPACKET socket. Whoever created the Broker
// publishes memfds under random ids and tells others its address and the ids; they connect() their own Broker
// to it and fetch() the descriptors (SCM_RIGHTS). Access is decided by uid (SO_PEERCRED) and, when
// a list is given, by process (process_list.h): never by knowing the id alone. A connection stays open for the life
// of both sides, so that its hang-up without a farewell tells of a death within milliseconds.
//
// All calls are thread-safe. Malformed, oversized or slow clients are refused or dropped with a line
// in the log and never stop the service of others.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/broker_name.h"
#include "runtime/driver/process_list.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

class BrokerConnection;

// What lies behind an id.
enum class ObjectKind : uint32_t { memory = 1, notify, event };

// Who of other processes may still use an export.
enum class Attendance : uint8_t {
  expected,  // somebody has a lease, or is listed and has not come yet
  absent,    // nobody has a lease, and none of those who are listed is yet to come
  deserted   // all who are listed have ended, or taken leave
};

// 128 bits that who asks has to know, besides being allowed to ask.
struct Secret {
  uint64_t bits[2] = {};
  static Secret random();
  bool operator==(const Secret&) const = default;
};

// What a Broker hands out: `bytes` of a file from `offset` on.
struct Export {
  std::shared_ptr<const UniqueFd> fd;
  uint64_t bytes = 0;
  uint64_t offset = 0;
  ObjectKind kind = ObjectKind::memory;
  int32_t device = -1;  // as the host numbers it
  Secret secret;
  bool listed_only = false;  // only for `pids`, which may grow; else for any process of this uid
  bool tells_attendance = false;  // on_attendance is called for it; listed are those of allow()
  ProcessList pids;
  std::shared_ptr<void> owner;  // kept while the export, or a lease of it, lives; may be null
};

struct FetchRequest {
  uint64_t id = 0;
  ObjectKind kind = ObjectKind::memory;
  Secret secret;
  bool leased = false;  // the exporter is to know until give_back() that it is in use
};

// What a leased fetch is given back by. It ends with its connection.
struct Lease {
  std::weak_ptr<BrokerConnection> connection;
  uint64_t id = 0;
  uint64_t serial = 0;  // of the fetch
};

struct FetchedMemory {
  UniqueFd fd;
  uint64_t bytes = 0;
  uint64_t offset = 0;
  int32_t device = -1;
  Lease lease = {};  // nothing, unless it was asked for
};

class Broker {
 public:
  // Called on the broker's thread, at most once per connection, when a peer vanished without saying
  // goodbye. `tag` is the one given to connect().
  using LostCallback = std::function<void(uint64_t tag)>;

  // The same for who held a lease of `id` and vanished: called once per lease, after it has ended.
  using LeaseLostCallback = std::function<void(uint64_t id, pid_t pid, uint64_t identity)>;

  // The same when the attendance of `id` may be another one; behind LeaseLostCallback, if it is by a loss.
  using AttendanceCallback = std::function<void(uint64_t id)>;

  // Why a client cannot be who its greeting says; "": no doubt. On the broker's thread, under its lock: it must not come
  // back here.
  using Doubt = std::function<std::string(uint64_t identity, pid_t pid)>;

  struct Options {
    LostCallback on_lost;
    LostCallback on_left;  // the same for who said goodbye
    LeaseLostCallback on_lease_lost;
    AttendanceCallback on_attendance = {};
    uint16_t tag = 0;       // the low 16 bits of every id
    uint64_t identity = 0;  // told to brokers that we connect to
    Doubt doubt = {};       // none: greetings are believed
    std::chrono::milliseconds patience{10'000};  // with who does not answer: of connect() and fetch()
  };
  static Result<std::unique_ptr<Broker>> start(Options options);
  static Result<std::unique_ptr<Broker>> start(LostCallback on_lost = {}) {
    return start(Options{.on_lost = std::move(on_lost), .on_left = {}, .on_lease_lost = {}});
  }
  ~Broker();  // says goodbye on every connection

  // The abstract socket name, printable, unique on the host: what goes into a card.
  const std::string& address() const;
  BrokerName name() const;

  // Lets processes of this uid (and, if `pids` is not empty, only those) fetch a duplicate of `fd`.
  // The returned id is random and never reused.
  Result<uint64_t> publish(const UniqueFd& fd, uint64_t bytes, const std::vector<pid_t>& pids = {});
  // The same for anything. Errc::invalid_argument when the file is smaller than what is exported, or not sealed
  // against shrinking.
  Result<uint64_t> publish(Export object);
  // More processes that may fetch `id`. Errc::not_found: withdrawn, or never published; invalid_argument: published
  // without a list.
  Result<> allow(uint64_t id, const ProcessList& pids);
  // Of an export that tells of it. Nobody is listed before allow(), and this process never.
  Attendance attendance(uint64_t id) const;
  // How many leases of `id` there are now.
  size_t leases(uint64_t id) const;
  // Later fetches of `id` fail; what was fetched stays valid.
  void withdraw(uint64_t id);

  // Connects to the broker at `address` and watches it from now on; `tag` names it in on_lost.
  // Idempotent per address: returns the tag of the connection that there is now. Errors: not_found
  // (nobody listens there: other network namespace or dead), no_permission (other uid).
  Result<uint64_t> connect(const std::string& address, uint64_t tag);
  // Fetches what the connected broker at `address` published as `id`. Errc::timeout: it does not answer; closed: not connected.
  Result<FetchedMemory> fetch(const std::string& address, uint64_t id) { return fetch(address, FetchRequest{.id = id, .secret = {}}); }
  Result<FetchedMemory> fetch(const std::string& address, const FetchRequest& request);
  // Ends that lease. Does not wait for the exporter, and may be called when it is gone.
  void give_back(const Lease& lease, bool given_up = false);
  // Tells all that we are connected to that we use nothing of theirs but what we have leases of, until we fetch again.
  void take_leave();
  // Stops watching that peer: it is expected to leave now (finalize).
  // With `tag`: only if that is the tag of the connection that there is.
  void disconnect(const std::string& address, std::optional<uint64_t> tag = {});

 private:
  struct State;
  explicit Broker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace canopy
