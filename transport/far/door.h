// Door: where other processes knock before their first operation. A listening TCP socket and a
// thread that sleeps on it; costs nothing while nobody comes.
//
// Lives as long as the transport; its keeper is called on the door's thread, one knock or question
// at a time, and may take its time (it opens the network stack at the first one). A knock without
// the token gets no word.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "transport/far/knock.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace canopy::transport::far {

// How long the other side may take for one step of an introduction, opening its network stack
// included.
inline constexpr std::chrono::seconds kPatience{10};

// Who answers behind a door.
struct DoorKeeper {
  // `at` is our address on the connection: the interface that reaches who knocked.
  std::function<Welcome(const Knock& knock, const HostAddress& at)> welcome;
  // Lines have numbers that are not used again.
  std::function<std::string(uint64_t line, std::string_view question)> reply;
  std::function<void(uint64_t line)> line_ended;
};

class Door {
 public:
  // `hosts` are the addresses that the door's own address names.
  static Result<std::unique_ptr<Door>> open(std::vector<HostAddress> hosts, DoorKeeper keeper);
  ~Door();

  const DoorAddress& address() const { return address_; }

 private:
  struct Line {
    uint64_t number;
    UniqueFd connection;
  };

  Door() = default;
  void run();
  void serve(UniqueFd connection);
  // False: it has ended.
  bool serve(const Line& line) const;

  DoorAddress address_;
  DoorKeeper keeper_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::vector<Line> lines_;  // the thread's
  uint64_t last_line_ = 0;   // the thread's
  std::thread thread_;
};

// Our end of a connection to that port of a host: the interface that reaches it; from `from` when it
// is not null. A connection only tells the way: what is done with the answer may take longer than a
// door waits for who knocks.
Result<HostAddress> way_to(const HostAddress& host, uint16_t port, const HostAddress* from);
// Knocks at one address of a door. `line`: the connection, when the knock has questions. Errors:
// peer_lost, nobody listens, or somebody else does; timeout.
Result<Welcome> knock_at(const HostAddress& host, const DoorAddress& door, const HostAddress* from,
                         const Knock& knock, UniqueFd& line);

// The other side: knocks at one of the addresses of a door, from `from` when it is not null. Tries
// the door's hosts in order. Returns the welcome and our address on the connection.
struct Introduction {
  Welcome welcome;
  HostAddress here;
  HostAddress there;
  UniqueFd line;  // where questions are asked, if there are to be any
};
// `provider_at` says with which provider we speak from an address of ours. It may take its time:
// the door is left alone meanwhile. Errors: peer_lost, nobody is there any more (all hosts
// refused); timeout, a host may be unreachable for now; not_supported, the door said no, with its
// reason.
using ProviderAt = std::function<Result<std::string>(const HostAddress& here)>;
Result<Introduction> introduce(const DoorAddress& door, const HostAddress* from,
                               const ProviderAt& provider_at, bool has_questions = false);

}  // namespace canopy::transport::far
