// Door: where other processes knock before their first operation. A listening TCP socket and a
// thread that sleeps on it; costs nothing while nobody comes.
//
// Lives as long as the transport; `answer` is called on the door's thread, one knock at a time, and
// may take its time (it opens the network stack at the first one). A knock without the token gets
// no word.
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

class Door {
 public:
  // `at` is our address on the connection: the interface that reaches who knocked.
  using Answer = std::function<Welcome(const Knock& knock, const HostAddress& at)>;

  // `hosts` are the addresses that the door's own address names.
  static Result<std::unique_ptr<Door>> open(std::vector<HostAddress> hosts, Answer answer);
  ~Door();

  const DoorAddress& address() const { return address_; }

 private:
  Door() = default;
  void run();
  void serve(const UniqueFd& connection) const;

  DoorAddress address_;
  Answer answer_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::thread thread_;
};

// The other side: knocks at one of the addresses of a door, from `from` when it is not null. Tries
// the door's hosts in order. Returns the welcome and our address on the connection.
struct Introduction {
  Welcome welcome;
  HostAddress here;
  HostAddress there;
};
// `provider_at` says with which provider we speak from an address of ours. It may take its time:
// the door is left alone meanwhile. Errors: peer_lost, nobody is there any more (all hosts
// refused); timeout, a host may be unreachable for now; not_supported, the door said no, with its
// reason.
using ProviderAt = std::function<Result<std::string>(const HostAddress& here)>;
Result<Introduction> introduce(const DoorAddress& door, const HostAddress* from,
                               const ProviderAt& provider_at);

}  // namespace canopy::transport::far
