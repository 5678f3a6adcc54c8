// WatchNeighbour: a host that this one watches, and the connection to it.
//
// Of two neighbours one dials and the other accepts. Who dials makes the connection anew when it
// breaks or is silent for half of the timeout, over each address of the host in turn. Who accepts
// only tries, when a connection has broken, whether the host's port still answers: a refusal means
// that the process is gone. A refusal counts at the address that worked before; until one has, all
// must refuse, because some addresses of a list can belong to other machines (the bridges of
// container engines do).
//
// One thread; it is told the time and sleeps nowhere.
#pragma once

#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_link.h"
#include "launcher/bootstrap/watch_wire.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace canopy::watch {

// The hosts at distance 1, 2, 4... on the ring of `n_hosts`, in both directions.
struct NeighbourPlan {
  int host;
  bool we_dial;  // exactly one of the two does
};
std::vector<NeighbourPlan> neighbours_of(int host, int n_hosts);

struct WatchSelf {
  int host;
  uint64_t nonce;
  uint64_t timeout_ns;
};

class WatchNeighbour {
 public:
  WatchNeighbour(const WatchSelf& self, NeighbourPlan plan, WatchAddress address, uint64_t now_ns);

  int host() const { return plan_.host; }
  std::string name() const;  // "host 1 (h1)"

  // Given up, or gone in order: nothing is expected of it any more.
  void finish(uint64_t now_ns);
  bool finished() const { return finished_; }
  bool standing() const { return standing_; }
  bool said_goodbye() const { return said_goodbye_; }

  // The connection for poll(); null when there is none.
  const WatchLink* link() const { return link_ ? &*link_ : nullptr; }
  void advance(short events);
  // The next notice that has arrived. `opened` is set when the connection has come to stand: the
  // other side must then be told what it may have missed.
  std::optional<Notice> take(uint64_t now_ns, bool* opened);
  // An accepted connection whose greeting named this host and our nonce.
  void adopt(WatchLink link, uint64_t now_ns);

  void send(const Notice& notice);
  void send_goodbye();

  // Dials, gives attempts up, sends heartbeats: what is due at this time.
  void on_time(uint64_t now_ns);
  uint64_t due_ns() const;

  // The sentence with which it must be given up, if it must.
  std::optional<std::string> verdict(uint64_t now_ns) const;
  // This process did not run for a while: silence up to now counts for half the timeout at most.
  void forgive(uint64_t now_ns);

 private:
  void dial(uint64_t now_ns);
  void attempt_failed(const std::string& why, bool refused, uint64_t now_ns);
  void greet();
  void stand(uint64_t now_ns);
  void on_closed(uint64_t now_ns);
  bool accept_greeting(std::string_view payload) const;
  uint64_t pause_ns() const;    // between attempts
  uint64_t attempt_ns() const;  // for one, greeting included
  std::string place(size_t index) const;

  WatchSelf self_;
  NeighbourPlan plan_;
  WatchAddress address_;
  std::optional<WatchLink> link_;
  bool standing_ = false;
  bool greeted_ = false;  // we have, on this connection
  bool finished_ = false;
  bool said_goodbye_ = false;
  size_t at_ = 0;               // the address of this or the next attempt
  std::optional<size_t> good_;  // the address of the last connection that stood
  size_t refusals_ = 0;         // in a row
  std::string last_error_ = "no connection was tried";
  uint64_t heard_ns_;
  uint64_t next_dial_ns_;
  uint64_t give_up_ns_ = 0;  // this attempt, or the rest of a finished connection
  uint64_t next_beat_ns_ = 0;
};

}  // namespace canopy::watch
