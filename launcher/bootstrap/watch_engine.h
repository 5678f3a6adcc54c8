// WatchEngine: what the watch's thread does: neighbours, notices, and what follows from them.
//
// Used by one thread, except for Inbox, through which the others speak to it.
#pragma once

#include "launcher/bootstrap/host_watch.h"
#include "launcher/bootstrap/watch_neighbour.h"
#include "runtime/base/unique_fd.h"

#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace canopy::watch {

class Inbox {
 public:
  static Result<std::unique_ptr<Inbox>> create();
  // False when the watch is leaving.
  bool tell(std::string_view text);
  void ask_to_leave();

  // For the watch's thread.
  int fd() const { return bell_.get(); }
  std::vector<std::string> take(bool* leaving);

 private:
  explicit Inbox(UniqueFd bell) : bell_(std::move(bell)) {}
  void ring();

  UniqueFd bell_;  // an eventfd
  std::mutex mutex_;
  std::vector<std::string> told_;  // guarded by mutex_
  bool leaving_ = false;           // guarded by mutex_
};

class WatchEngine {
 public:
  WatchEngine(int my_host, std::vector<WatchAddress> addresses, uint64_t timeout_ns,
              UniqueFd listener, HostWatch::Callbacks callbacks, Inbox& inbox);
  // Returns when it was asked to leave, and has.
  void run();

 private:
  // Accepted, but not known yet whose it is.
  struct Stranger {
    WatchLink link;
    uint64_t give_up_ns;
  };

  void wait(uint64_t until_ns);
  uint64_t due_ns() const;
  void take_inbox(uint64_t now_ns);
  void accept_strangers(uint64_t now_ns);
  void hear_strangers(uint64_t now_ns);
  void welcome(const Greeting& greeting, WatchLink link, uint64_t now_ns);
  void hear_neighbours(uint64_t now_ns);
  void judge(uint64_t now_ns);
  bool has_left(uint64_t now_ns) const;

  // Passes a notice on, once, to all but the neighbour it came from, and does what it says.
  void spread(Notice notice, int came_from, uint64_t now_ns);
  void say(NoticeKind kind, int subject, std::string text, uint64_t now_ns);
  void act(const Notice& notice, uint64_t now_ns);
  void tell_all_known(WatchNeighbour& neighbour);
  WatchNeighbour* neighbour(int host);

  int my_host_;
  std::vector<WatchAddress> addresses_;
  uint64_t timeout_ns_;
  UniqueFd listener_;
  HostWatch::Callbacks callbacks_;
  Inbox& inbox_;
  std::vector<WatchNeighbour> neighbours_;
  std::vector<Stranger> strangers_;
  std::vector<Notice> known_;  // all of them: a connection made later is told what it missed
  std::set<std::pair<uint32_t, uint32_t>> seen_;
  std::vector<bool> gone_;  // by host: given up or left
  uint32_t next_number_ = 0;
  uint64_t leave_by_ns_ = 0;  // 0: not leaving
  uint64_t awake_ns_;         // when it last looked
};

}  // namespace canopy::watch
