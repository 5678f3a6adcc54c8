#include "launcher/bootstrap/sibling_watch.h"

#include "launcher/bootstrap/pmix_gets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace canopy {
namespace {

// Launchers whose processes are known to be their direct children.
bool is_known_launcher(std::string_view command) {
  constexpr std::string_view kNames[] = {"mpirun", "mpiexec", "orterun", "orted",
                                         "oshrun", "prterun", "prted",   "prte"};
  // "mpirun.openmpi" is one too.
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view name) {
    return command == name || (command.starts_with(name) && command[name.size()] == '.');
  });
}

// What mpirun runs, also as direct children, to reach other hosts.
bool is_remote_agent(std::string_view command) {
  return command == "ssh" || command == "rsh" || command == "srun";
}

}  // namespace

std::string ended_sentence(const std::vector<int>& ended, int n_pes, std::string_view who_waits, std::string_view call) {
  char host[256] = {};  // POSIX: at most 255
  const bool known = ::gethostname(host, sizeof host - 1) == 0;
  return fmt::format("{} of {} on {} ended before {} joined the job ({} waits in {})", name_pes(ended), n_pes,
                     known ? host : "this host", ended.size() == 1 ? "it" : "they", who_waits, call);
}

SiblingWatch::SiblingWatch(std::string nspace, int pe, std::vector<int> local_pes, int own_pid,
                           ProcessTable table)
    : table_(std::move(table)), nspace_(std::move(nspace)), pe_(pe), own_pid_(own_pid) {
  std::sort(local_pes.begin(), local_pes.end());
  for (int other : local_pes) {
    if (other != pe_) {
      siblings_.emplace_back(other, Process{});
    }
  }
}

bool SiblingWatch::is_there(const Process& process) const {
  if (process.pid == 0) {
    return false;
  }
  auto stat = table_.stat(process.pid);
  return stat && !stat->ended && stat->start_ticks == process.start_ticks;
}

// The nearest ancestor that is a launcher, past wrapper scripts; 0 when there is something else.
int SiblingWatch::launcher() const {
  auto stat = table_.stat(own_pid_);
  while (stat && stat->parent > 0) {
    stat = table_.stat(stat->parent);
    if (!stat) {
      break;
    }
    if (is_known_launcher(stat->command)) {
      return stat->pid;
    }
    LaunchedAs as;
    const bool wrapper = table_.launched_as(stat->pid, &as) == ProcessTable::Launch::yes &&
                         as.nspace == nspace_ && as.pe == pe_;
    if (!wrapper) {
      break;
    }
  }
  return 0;
}

// Fills in who is there. False when /proc cannot tell: then nobody may be called missing.
bool SiblingWatch::find_children() {
  const int parent = launcher();
  if (parent == 0) {
    return false;
  }
  for (auto& [pe, process] : siblings_) {
    process.pid = 0;
  }
  for (const ProcessStat& child : table_.all()) {
    if (child.parent != parent || child.ended) {
      continue;
    }
    LaunchedAs as;
    if (table_.launched_as(child.pid, &as) != ProcessTable::Launch::yes) {
      if (is_remote_agent(child.command)) {
        continue;
      }
      // It may be anyone: a PE before its exec, one that has written over its environment to change
      // its title, one of another user, one that ends this very moment.
      return false;
    }
    auto found = std::find_if(siblings_.begin(), siblings_.end(),
                              [&](const auto& sibling) { return sibling.first == as.pe; });
    if (as.nspace == nspace_ && found != siblings_.end()) {
      found->second.pid = child.pid;
      found->second.start_ticks = child.start_ticks;
    }
  }
  return true;
}

bool SiblingWatch::suspects() const {
  return std::any_of(siblings_.begin(), siblings_.end(),
                     [](const auto& sibling) { return sibling.second.missed; });
}

SiblingReport SiblingWatch::look() {
  const auto there = [&](const auto& sibling) { return is_there(sibling.second); };
  if (std::all_of(siblings_.begin(), siblings_.end(), there)) {
    for (auto& [pe, process] : siblings_) {
      process.missed = false;
    }
    return {};
  }
  if (!find_children()) {
    return {};
  }
  SiblingReport report;
  for (auto& [pe, process] : siblings_) {
    if (process.pid != 0) {
      report.living_before += pe < pe_ ? 1 : 0;
    } else if (process.missed) {
      report.ended.push_back(pe);
    }
    process.missed = process.pid == 0;
  }
  return report;
}

}  // namespace canopy
