// The sockets under the Broker: messages in and out, and our side of a connection to another
// process's broker.
//
// All sockets are non-blocking SEQPACKET sockets with abstract names. One connection per peer does
// for everything: a fetching thread sends and reads on it itself, under the connection's mutex,
// while the broker's thread watches the same socket for hang-up, and for room while leases that were
// given back wait for it. What the broker's thread
// needs to know then (was there a GOODBYE?) still lies in the socket's queue, or was noted by the
// fetching thread that met it.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/broker.h"
#include "runtime/driver/broker_protocol.h"

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace canopy::broker_socket {

struct Credentials {
  pid_t pid = 0;  // 0: in a pid namespace that we do not see
  uid_t uid = ~0u;
  uint64_t identity = 0;  // process_list.h
};

// Who called connect() or listen() on the other side.
Credentials peer_credentials(const UniqueFd& socket);
Result<UniqueFd> listen_at(const std::string& address);

// `crowded`: this user has so many descriptors on the way that the kernel takes no more (RLIMIT_NOFILE; whoever has
// CAP_SYS_RESOURCE is exempt).
enum class Sent { done, full, crowded, gone };
// Never blocks, raises no SIGPIPE. `passed` travels as a duplicate unless it is -1.
Sent send_message(const UniqueFd& socket, const broker_protocol::Message& message, int passed = -1);

enum class Got { message, nothing_yet, end, misbehaved };
// Never blocks. Descriptors are taken only when `passed` is given, and then at most one. Checks the
// size and the magic, not the version.
Got receive_message(const UniqueFd& socket, broker_protocol::Message& message, UniqueFd* passed);

}  // namespace canopy::broker_socket

namespace canopy {

// Our side of a connection. fetch() may run on any thread; drain(), shut() and close() are called
// by whoever took the connection out of the Broker's watch list, so by one thread.
class BrokerConnection : public std::enable_shared_from_this<BrokerConnection> {
 public:
  // Connects and is greeted. Errors: invalid_argument, not_found, no_permission, not_supported
  // (other version), limit, timeout.
  static Result<std::shared_ptr<BrokerConnection>> open(const std::string& address, uint64_t identity,
                                                        Deadline deadline);
  // Over a socket that is connected already, not greeted yet: open() is this with a dialled one.
  static std::shared_ptr<BrokerConnection> over(const std::string& address, UniqueFd socket);
  // Says hello and hears whether we are welcome. Errors as in open().
  Result<> greet(Deadline deadline, uint64_t identity = 0);

  Result<FetchedMemory> fetch(const FetchRequest& request, Deadline deadline);
  // Tells the other side at once. False where its queue is full: it hears with whatever is sent next, or from
  // tell_given_back() when there is room.
  // What is not the lease of a FETCH is no matter: the other side knows none.
  // `given_up`: to the exporter it is as if the client had vanished, if that is all that tells of an absence.
  bool give_back(uint64_t id, uint64_t serial, bool given_up = false);
  // Tells the other side behind all that was given back so far, unless it has heard it since the last lease; the same when its
  // queue is full.
  bool leave();
  // True when nothing is left to be told. Never blocks; any thread.
  bool tell_given_back();
  // After a hang-up: reads what is left; true when the peer had said goodbye.
  bool drain();
  // Says goodbye and ends the connection; a fetch() that is under way fails at once.
  void shut();
  void close();
  // In a forked child, whose copy of the mutex may be held by a thread that is not there.
  void close_in_child() { socket_.reset(); }
  const std::string& address() const { return address_; }
  // REQUIRES: close() was not called.
  int fd() const { return socket_.get(); }

 private:
  // For std::make_shared, which takes one block for all; nobody else has one.
  struct Key {};

 public:
  BrokerConnection(Key, const std::string& address, UniqueFd socket) : address_(address), socket_(std::move(socket)) {}

 private:
  struct GivenBack {
    uint64_t id;
    uint64_t serial;
    bool given_up;
  };
  // Holds mutex_, if it could be had before the deadline.
  class Turn;
  // Sends `request` and waits for its reply. REQUIRES: a Turn.
  Result<broker_protocol::Message> ask_for(const FetchRequest& wanted, UniqueFd* passed, Deadline deadline);
  Result<broker_protocol::Message> exchange(broker_protocol::Message request, UniqueFd* passed,
                                            Deadline deadline);
  Result<> post(const broker_protocol::Message& request, Deadline deadline);
  tl::unexpected<Error> gone() const;
  tl::unexpected<Error> late() const;

  const std::string address_;
  std::mutex mutex_;  // one exchange at a time; guards what follows; taken by Turn only
  UniqueFd socket_;
  uint64_t serial_ = 0;
  bool goodbye_ = false;
  std::mutex given_back_mutex_;         // guards given_back_, and the end of socket_; taken inside of mutex_, or alone
  std::vector<GivenBack> given_back_;    // not told yet
  enum class Leave : uint8_t { no, untold, told } leave_ = Leave::no;  // guarded likewise
  Doorbell turn_over_;  // rung when mutex_ is free again
};

}  // namespace canopy
