// HostWatch: one process per host (the host's leader) tells whether the other hosts still live, and
// passes short notices to their leaders. mpirun tells neither in time (launcher/README.md).
//
// The life of one:
//   1. every leader: auto watch = HostWatch::listen();   its address() goes into the leader's card
//   2. the exchange of the cards gives everybody the addresses of all leaders, in host order
//   3. every leader: watch->start(my_host, addresses, callbacks), soon after the exchange
//   4. tell_all("pe 3 (host h1) was killed by signal 9") whenever there is something to tell
//   5. after the job's last barrier: watch->leave(), or the destructor, which does the same
//
// Each leader keeps connections to the hosts at distance 1, 2, 4... on the ring of hosts, so a
// notice reaches H hosts in log2(H) steps, and passes a failed one. Heartbeats go over them every
// quarter of the timeout. A connection that breaks, or stays silent for half of the timeout, is
// made anew over any address of that host, until the timeout is over: a link that is down for half
// of the timeout raises no alarm. Connections prove by a nonce from the cards that they are of this
// job. That keeps strangers and earlier jobs out; it does not protect from who can read the
// network.
//
// A host is given up, once and for all, when
//   - nothing was heard from it for the timeout (host dead or frozen, link down); or
//   - its leader's process has ended without leave(): its connections break and its port refuses
//   new
//     ones. That is known in well under a second.
// Whoever notices first tells the others, so every leader's on_host_silent is called once per host,
// with the sentence that reached it first. A leader that was given up itself, and still hears of
// it, gets the call with its own number.
//
// Thread-safe, except that start(), leave() and the destructor are called by one thread. One thread
// of its own, asleep in poll; it blocks all signals.
#pragma once

#include "runtime/base/result.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace canopy {

class HostWatch {
 public:
  // Called on the watch's thread, one at a time. They may call tell_all(); they must not block (the
  // heartbeats would stop), call leave(), or destroy the watch.
  struct Callbacks {
    // `host` is given up; `reason` is a sentence with its number, its name and what was seen.
    std::function<void(int host, std::string_view reason)> on_host_silent;
    // What another leader said with tell_all(); every leader but the teller sees it once.
    std::function<void(std::string_view notice)> on_notice;
  };

  // After how long a silent host is given up, unless listen() is told otherwise: CANOPY_HOST_TIMEOUT_MS (listen()
  // refuses one that is too short), or 10 s.
  static std::chrono::milliseconds usual_timeout();

  // The longest notice, in bytes.
  static constexpr size_t kMaxNotice = 16 * 1024;

  // Binds a TCP port of the kernel's choice on all interfaces. Nobody is answered before start().
  // `timeout`: after how long a silent host is given up; usual_timeout() when zero.
  static Result<std::unique_ptr<HostWatch>> listen(
      std::chrono::milliseconds timeout = std::chrono::milliseconds(0));

  virtual ~HostWatch() = default;

  // Printable text, about 60 bytes: host name, port, nonce and IP addresses.
  virtual const std::string& address() const = 0;

  // Begins to watch. `addresses[h]` is the address() of host h's leader, `addresses[my_host]` ours.
  // Returns at once: connections are made in the background. Once per watch.
  // Errc::parse: an address that is none. Errc::invalid_argument: my_host does not fit.
  virtual Result<> start(int my_host, std::vector<std::string> addresses, Callbacks callbacks) = 0;

  // Tells all other leaders. Returns at once; the notice arrives within 1 s where a connection
  // stands, and when it is made anew otherwise. Errc::limit: longer than kMaxNotice.
  // Errc::not_ready: not started, or has left.
  virtual Result<> tell_all(std::string_view notice) = 0;

  // Leaves in order, so that nobody raises an alarm; no callback runs after it. For when all hosts
  // end, or this one is not needed any more: it passes no notices on afterwards. Waits until the
  // neighbours have read it, at most a second. Idempotent.
  virtual void leave() = 0;

  virtual std::chrono::milliseconds timeout() const = 0;
};

}  // namespace canopy
