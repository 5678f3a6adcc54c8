#include "runtime/driver/listed_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace canopy {
namespace {

bool is_over(const UniqueFd& end) {
  pollfd asked{.fd = end.get(), .events = POLLIN, .revents = 0};
  return ::poll(&asked, 1, 0) == 1;
}

// Without a descriptor that stays. Where none is free, one that nobody has waited for yet is taken for alive.
bool has_ended(const ProcessList::Entry& process) {
  const UniqueFd end = end_of_process(process);
  return end ? is_over(end) : errno == ESRCH || (::kill(process.pid, 0) != 0 && errno == ESRCH);
}

}  // namespace

void ListedProcesses::add(uint64_t id, const ProcessList::Entry& process, uint64_t& next_token) {
  if (process.pid == ::getpid()) {
    return;
  }
  Counts& counts = counts_of_[id];
  auto known = living_.find(process);
  if (known == living_.end()) {
    if (has_ended(process)) {
      return;
    }
    known = living_.emplace(process, Process{}).first;
    watch(known, next_token);
  }
  const auto [part, is_new] = known->second.parts.emplace(id, Part::to_come);
  if (is_new) {
    ++counts.to_come;
  } else if (part->second == Part::away) {
    set_part(id, part->second, Part::to_come);
  }
}

void ListedProcesses::watch(Processes::iterator process, uint64_t& next_token) {
  Process& its = process->second;
  if (by_token_.size() < most_watched_) {
    its.end = end_of_process(process->first);  // if it has ended just now, look() finds out
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = its.token = next_token;
  if (its.end && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, its.end.get(), &event) == 0) {
    by_token_.emplace(next_token++, process);
  } else {
    its.end.reset();
    ++unwatched_;
  }
}

void ListedProcesses::unwatch(Processes::iterator process) {
  const Process& its = process->second;
  if (its.end) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, its.end.get(), nullptr);
    by_token_.erase(its.token);
  } else {
    --unwatched_;
  }
}

void ListedProcesses::forget(uint64_t id, const ProcessList& list) {
  if (counts_of_.erase(id) == 0) {
    return;
  }
  for (const ProcessList::Entry& each : list.entries()) {
    const auto process = living_.find(each);
    if (process != living_.end() && process->second.parts.erase(id) != 0 && process->second.parts.empty()) {
      unwatch(process);
      living_.erase(process);
    }
  }
}

bool ListedProcesses::deserted(uint64_t id) const {
  const auto found = counts_of_.find(id);
  return found != counts_of_.end() && found->second.to_come == 0 && found->second.came == 0;
}

bool ListedProcesses::some_to_come(uint64_t id) const {
  const auto found = counts_of_.find(id);
  return found != counts_of_.end() && found->second.to_come != 0;
}

// As ProcessList::has().
ListedProcesses::Processes::iterator ListedProcesses::find(const ProcessList::Entry& process) {
  const auto exactly = living_.find(process);
  return exactly != living_.end() ? exactly : living_.find({process.pid, 0});
}

void ListedProcesses::set_part(uint64_t id, Part& part, Part now) {
  Counts& counts = counts_of_[id];
  --count_of(counts, part);
  ++count_of(counts, part = now);
}

void ListedProcesses::note_fetch(uint64_t id, const ProcessList::Entry& process, std::vector<uint64_t>* changed) {
  const auto who = find(process);
  if (who == living_.end()) {
    return;
  }
  for (auto& [each, part] : who->second.parts) {
    if (each == id) {
      set_part(each, part, Part::came);
    } else if (part == Part::away) {
      set_part(each, part, Part::to_come);
      changed->push_back(each);
    }
  }
}

void ListedProcesses::take_leave(const ProcessList::Entry& process, const std::function<bool(uint64_t)>& keeps,
                                 std::vector<uint64_t>* changed) {
  const auto who = find(process);
  if (who == living_.end()) {
    return;
  }
  for (auto& [each, part] : who->second.parts) {
    if (part != Part::away && !keeps(each)) {
      set_part(each, part, Part::away);
      changed->push_back(each);
    }
  }
}

void ListedProcesses::take_leave_of(uint64_t id, const ProcessList::Entry& process, std::vector<uint64_t>* changed) {
  const auto who = find(process);
  if (who == living_.end()) {
    return;
  }
  if (const auto its = who->second.parts.find(id); its != who->second.parts.end() && its->second != Part::away) {
    set_part(id, its->second, Part::away);
    changed->push_back(id);
  }
}

void ListedProcesses::end(Processes::iterator process, std::vector<uint64_t>* changed) {
  unwatch(process);
  for (const auto& [id, part] : process->second.parts) {
    --count_of(counts_of_[id], part);
    changed->push_back(id);
  }
  living_.erase(process);
}

bool ListedProcesses::handle(uint64_t token, std::vector<uint64_t>* changed) {
  const auto process = by_token_.find(token);
  if (process == by_token_.end()) {
    return false;
  }
  end(process->second, changed);
  return true;
}

uint64_t ListedProcesses::look(uint64_t now_ns, std::vector<uint64_t>* changed) {
  if (unwatched_ == 0) {
    return ~0ull;
  }
  if (now_ns >= look_at_ns_) {
    for (auto each = living_.begin(); each != living_.end();) {
      const auto process = each++;
      if (!process->second.end && has_ended(process->first)) {
        end(process, changed);
      }
    }
    look_at_ns_ = now_ns + kLookNs;
  }
  return unwatched_ == 0 ? ~0ull : look_at_ns_;
}

void ListedProcesses::close_in_child() {
  for (auto& [entry, process] : living_) {
    process.end.reset();
  }
}

}  // namespace canopy
