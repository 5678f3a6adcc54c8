// RailKeeper: finds the further rails to peers, opens them, and closes those that fail
// (transport/rails says what they carry).
//
//   a large put to peer 5    for each other address of its host: connect, and see which interface of
//                            ours that takes; knock at the door over it. So a rail is a network on
//                            which the very process was met, and not just one with a fitting address
//                            (bridges of containers have the same on every host).
//   the door's side          opens its rail at the interface that was knocked at, and tells its
//                            address and keys
//   a rail fails, or is      it is halted here, for all peers; each peer to which it carried puts is
//   silent for 2 s           asked, over the first rail, to halt its end; what was under way goes
//                            again over the first rail. Looked for again 10 s later.
//
// A rail is of the process, one for each interface, and halted as a whole: peers that used the same
// end find it silent, and do the same. Slow, rare, and safe: what a network still holds finds nobody.
// A halted one keeps its memory (transport.h, halt()), so after kMostFailures of them a process
// looks for no more.
//
// Threads: any; one of its own while there is something to find or to close.
#pragma once

#include "transport/base/plugin.h"
#include "transport/far/door.h"
#include "transport/rails/railed_transport.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace canopy::transport::far {

class RailKeeper {
 public:
  struct Options {
    HostAddress first;                      // of all that is ordered
    std::vector<HostInterface> interfaces;  // those that may be further rails
    size_t most = 0;                        // so many of them
    std::string provider;                   // the first rail's
  };
  // Where a peer is: its door, and at which of its addresses the first rail met it.
  struct Place {
    DoorAddress door;
    HostAddress there;
  };
  // What it needs of the FarTransport.
  struct Surroundings {
    std::function<std::optional<Place>(int peer)> place;  // nothing: it is lost
    std::function<std::map<RegionId, std::span<std::byte>>()> regions;
    std::function<Result<Network>(const NetworkWish&)> open_network;
    std::function<void(int peer, std::string sentence)> gone;
    std::function<void()> arrival;
  };
  RailKeeper(Options options, Surroundings around);
  ~RailKeeper();

  // Makes `first` one that stripes; the keeper goes before it.
  Result<std::unique_ptr<rails::RailedTransport>> wrap(std::unique_ptr<Transport> first,
                                                       const rails::StripeOptions& options);
  Result<> register_region(RegionId id, std::span<std::byte> memory);
  // On the door's thread: somebody wants to meet over a rail, or to have one halted.
  Welcome answer(const Knock& knock, const HostAddress& at);

 private:
  using RailPtr = rails::RailPtr;
  struct Opened {
    RailPtr rail;
    uint64_t number = 0;
    HostAddress at;
    std::map<RegionId, std::string> keys;
    std::map<int, uint64_t> ends;  // the numbers of the peers' ends
  };
  struct Task {
    enum class Kind : uint8_t { look, close, close_end };
    Kind kind;
    int peer = -1;
    RailPtr rail;
    uint64_t end = 0;
    uint64_t not_before_ns = 0;
  };

  void add(Task task);
  void run();
  // Nothing: time to stop.
  std::optional<Task> next_task();
  void look(int peer);
  // False: it may come back.
  bool try_way(int peer, const Place& place, const HostAddress& host,
               std::vector<std::string>& taken);
  Result<> meet(int peer, const Place& place, const HostAddress& host, const HostAddress& here);
  void close_end(Task task);
  // REQUIRES for the following: rails_mutex_ is held.
  Result<Opened*> ensure(const HostAddress& at);
  Opened* find(const rails::Rail& rail);
  enum class Ends : uint8_t { failed, in_order };
  void close(const RailPtr& rail, Ends how);

  const HostInterface* interface_of(const HostAddress& address) const;

  const Options options_;
  const Surroundings around_;
  rails::RailedTransport* railed_ = nullptr;

  std::mutex rails_mutex_;  // guards opened_; never held while a peer is waited for
  std::deque<Opened> opened_;
  int failures_ = 0;

  std::mutex tasks_mutex_;  // guards what follows; a leaf
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace canopy::transport::far
