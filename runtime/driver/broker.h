// Broker: hands memory of this process to other processes of the host, and notices when they die.
//
// One thread per Broker sleeps in epoll on an abstract SEQPACKET socket. Whoever created the Broker
// publishes memfds under random ids and tells others its address and the ids; they connect() their own Broker
// to it and fetch() the descriptors (SCM_RIGHTS). Access is decided by uid (SO_PEERCRED) and, when
// a pid list is given, by pid: never by knowing the id alone. A connection stays open for the life
// of both sides, so that its hang-up without a farewell tells of a death within milliseconds.
//
// All calls are thread-safe. Malformed, oversized or slow clients are refused or dropped with a line
// in the log and never stop the service of others.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace canopy {

struct FetchedMemory {
  UniqueFd fd;
  uint64_t bytes = 0;
};

class Broker {
 public:
  // Called on the broker's thread, at most once per connection, when a peer vanished without saying
  // goodbye. `tag` is the one given to connect().
  using LostCallback = std::function<void(uint64_t tag)>;

  static Result<std::unique_ptr<Broker>> start(LostCallback on_lost = {});
  ~Broker();  // says goodbye on every connection

  // The abstract socket name, printable, unique on the host: what goes into a card.
  const std::string& address() const;

  // Lets processes of this uid (and, if `pids` is not empty, only those) fetch a duplicate of `fd`.
  // The returned id is random and never reused.
  Result<uint64_t> publish(const UniqueFd& fd, uint64_t bytes, std::vector<pid_t> pids = {});
  // Later fetches of `id` fail; what was fetched stays valid.
  void withdraw(uint64_t id);

  // Connects to the broker at `address` and watches it from now on; `tag` names it in on_lost.
  // Idempotent per address. Errors: not_found (nobody listens there: other network namespace or
  // dead), no_permission (other uid).
  Result<> connect(const std::string& address, uint64_t tag);
  // Fetches what the connected broker at `address` published as `id`, with a deadline of 10 s.
  Result<FetchedMemory> fetch(const std::string& address, uint64_t id);
  // Stops watching that peer: it is expected to leave now (finalize).
  void disconnect(const std::string& address);

 private:
  struct State;
  explicit Broker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace canopy
