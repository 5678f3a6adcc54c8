// ListedProcesses: which of the processes that are listed for exports may use them yet: they have not ended, in whatever way they
// end, and not taken leave.
//
// Each is watched by a descriptor in the Broker's epoll set, whatever the number of exports that it is listed for, and no longer
// than for one. Those beyond a part of the descriptors that this process may open are looked at now and then instead. Not thread-safe:
// the Broker's mutex guards it. One user: broker_clients.h.
#pragma once

#include "runtime/base/unique_fd.h"
#include "runtime/driver/process_list.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

namespace canopy {

class ListedProcesses {
 public:
  // `most_watched`: descriptors. The epoll set outlives this object.
  ListedProcesses(const UniqueFd& epoll, size_t most_watched) : epoll_(epoll), most_watched_(most_watched) {}

  // `process` may fetch `id` now, and is expected to, also if it has taken leave before. Takes a token if it is not watched yet.
  void add(uint64_t id, const ProcessList::Entry& process, uint64_t& next_token);
  // Nobody can fetch `id` any more, for which these were listed.
  void forget(uint64_t id, const ProcessList& list);
  // At least one process is listed for `id`, this one not counted, and all have ended or taken leave.
  bool deserted(uint64_t id) const;
  // One is listed for `id` that has not fetched it yet, or not since it took leave.
  bool some_to_come(uint64_t id) const;

  // `process` has fetched `id`. Whatever it took leave of before, it may come back to.
  void note_fetch(uint64_t id, const ProcessList::Entry& process, std::vector<uint64_t>* changed);
  // `process` will use nothing of what it is listed for but what `keeps` says, and comes back if it fetches anything.
  void take_leave(const ProcessList::Entry& process, const std::function<bool(uint64_t)>& keeps, std::vector<uint64_t>* changed);
  // Nor this one thing that it kept.
  void take_leave_of(uint64_t id, const ProcessList::Entry& process, std::vector<uint64_t>* changed);
  // What epoll reports for `token`. False: it is nobody's here. As all others, adds the ids of which it is another answer now, maybe.
  bool handle(uint64_t token, std::vector<uint64_t>* changed);
  // Looks at those who have no descriptor if it is time to; returns when the next time is (~0: there are none).
  uint64_t look(uint64_t now_ns, std::vector<uint64_t>* changed);
  // Somebody has no descriptor: look() wants to be called.
  bool has_unwatched() const { return unwatched_ != 0; }
  // In a forked child: closes what is open, and nothing else.
  void close_in_child();

 private:
  static constexpr uint64_t kLookNs = 250'000'000;
  // What a process has to do with an export: it is yet to fetch it, has done so, or has taken leave.
  enum class Part : uint8_t { to_come, came, away };
  struct Counts {  // of living processes
    size_t to_come = 0;
    size_t came = 0;
    size_t away = 0;
  };
  static size_t& count_of(Counts& counts, Part part) {
    return part == Part::to_come ? counts.to_come : part == Part::came ? counts.came : counts.away;
  }
  struct Process {
    UniqueFd end;        // none: unwatched
    uint64_t token = 0;  // with one
    std::unordered_map<uint64_t, Part> parts;  // by id
  };
  using Processes = std::map<ProcessList::Entry, Process>;
  Processes::iterator find(const ProcessList::Entry& process);
  void set_part(uint64_t id, Part& part, Part now);
  void watch(Processes::iterator process, uint64_t& next_token);
  void unwatch(Processes::iterator process);
  void end(Processes::iterator process, std::vector<uint64_t>* changed);

  const UniqueFd& epoll_;
  const size_t most_watched_;
  Processes living_;
  std::unordered_map<uint64_t, Processes::iterator> by_token_;
  std::unordered_map<uint64_t, Counts> counts_of_;  // by id; zeros too
  size_t unwatched_ = 0;
  uint64_t look_at_ns_ = 0;
};

}  // namespace canopy
