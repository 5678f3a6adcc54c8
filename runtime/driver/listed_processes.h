// ListedProcesses: which of the processes that are listed for exports have not ended, in whatever way they end.
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
#include <unordered_set>
#include <vector>

namespace canopy {

class ListedProcesses {
 public:
  // `most_watched`: descriptors. The epoll set outlives this object.
  ListedProcesses(const UniqueFd& epoll, size_t most_watched) : epoll_(epoll), most_watched_(most_watched) {}

  // `process` may fetch `id` now; it was not listed for it before. Takes a token if it is not watched yet.
  void add(uint64_t id, const ProcessList::Entry& process, uint64_t& next_token);
  // Nobody can fetch `id` any more, for which these were listed.
  void forget(uint64_t id, const ProcessList& list);
  // At least one process is listed for `id`, this one not counted, and all have ended.
  bool deserted(uint64_t id) const;

  // What epoll reports for `token`. False: it is nobody's here. Adds the ids that are deserted by it.
  bool handle(uint64_t token, std::vector<uint64_t>* now_deserted);
  // Looks at those who have no descriptor if it is time to; returns when the next time is (~0: there are none).
  uint64_t look(uint64_t now_ns, std::vector<uint64_t>* now_deserted);
  // Somebody has no descriptor: look() wants to be called.
  bool has_unwatched() const { return unwatched_ != 0; }
  // In a forked child: closes what is open, and nothing else.
  void close_in_child();

 private:
  static constexpr uint64_t kLookNs = 250'000'000;
  struct Process {
    UniqueFd end;        // none: unwatched
    uint64_t token = 0;  // with one
    std::unordered_set<uint64_t> ids;
  };
  using Processes = std::map<ProcessList::Entry, Process>;
  void watch(Processes::iterator process, uint64_t& next_token);
  void unwatch(Processes::iterator process);
  void end(Processes::iterator process, std::vector<uint64_t>* now_deserted);

  const UniqueFd& epoll_;
  const size_t most_watched_;
  Processes living_;
  std::unordered_map<uint64_t, Processes::iterator> by_token_;
  std::unordered_map<uint64_t, size_t> living_of_;  // how many, by id; 0 too
  size_t unwatched_ = 0;
  uint64_t look_at_ns_ = 0;
};

}  // namespace canopy
