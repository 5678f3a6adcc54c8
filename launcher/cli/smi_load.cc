#include "launcher/cli/smi_load.h"

#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"
#include "runtime/driver/engine_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace canopy::cli {
namespace {

constexpr auto kWindowNs = static_cast<uint64_t>(std::chrono::nanoseconds(kSmiWindow).count());

struct Watched {
  EngineView view;
  std::vector<EngineReading> before;
};

uint32_t percent(double share) { return static_cast<uint32_t>(std::lround(100 * std::min(1.0, share))); }

void wait_until_passed(uint64_t end_ns) {
  Doorbell nobody_rings;
  for (uint64_t now = monotonic_ns(); now < end_ns; now = monotonic_ns()) {
    nobody_rings.sleep(BellScope::process, std::chrono::nanoseconds(end_ns - now), [] { return true; });
  }
}

void add_shares(Watched& watched, std::array<EngineShares, kMaxDevices>* sums) {
  for (const EngineReading& after : watched.view.read()) {
    const auto before = std::find_if(watched.before.begin(), watched.before.end(),
                                     [&](const EngineReading& one) { return one.host_device == after.host_device; });
    if (before == watched.before.end()) {
      continue;  // opened meanwhile
    }
    const EngineShares shares = shares_between(*before, after);
    EngineShares& sum = (*sums)[static_cast<size_t>(after.host_device)];
    sum.cube += shares.cube;
    sum.vector += shares.vector;
    sum.aicpu += shares.aicpu;
    sum.dma += shares.dma;
  }
}

// Of a thread's flags and pending signals in /proc/PID/task/TID/stat (proc(5)).
constexpr unsigned long kExiting = 0x4;  // PF_EXITING
constexpr unsigned long kKilled = 1ul << (SIGKILL - 1);

// Whether the thread of that stat file is on its way out, or gone.
bool is_ending_thread(const std::string& stat) {
  std::FILE* file = std::fopen(stat.c_str(), "re");
  if (file == nullptr) {
    return true;
  }
  char text[1024];
  const size_t got = std::fread(text, 1, sizeof text - 1, file);  // nothing: it ended just now
  std::fclose(file);
  text[got] = '\0';
  const char* name_end = std::strrchr(text, ')');  // the name may hold anything
  unsigned long flags = 0;
  unsigned long pending = 0;
  // state ppid pgrp session tty_nr tpgid FLAGS, 21 more, SIGNAL
  return name_end == nullptr ||
         std::sscanf(name_end + 1,
                     " %*c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u %*d %*u %*u %*u %*u %*u %*u %lu",
                     &flags, &pending) != 2 ||
         (flags & kExiting) != 0 || (pending & kKilled) != 0;
}

// Whether all threads of a process that can be seen here are on their way out: its descriptors are gone then, its lock in the table
// may not be yet.
bool is_ending(pid_t pid) {
  bool any = false;
  std::error_code failed;
  std::filesystem::directory_iterator task(fmt::format("/proc/{}/task", pid), failed);
  for (const std::filesystem::directory_iterator end; !failed && task != end; task.increment(failed)) {
    if (!is_ending_thread(task->path() / "stat")) {
      return false;
    }
    any = true;
  }
  return any;
}

// Leaves those who cannot be looked into and live. The order counts: who was no longer to be seen in /proc had left its lock before,
// unless it is of another pid namespace.
void keep_hidden(const HostView& view, std::vector<HostOwner>* closed) {
  std::erase_if(*closed, [](const HostOwner& owner) { return EngineView::open(owner) || is_ending(owner.pid); });
  if (closed->empty()) {
    return;
  }
  const std::vector<HostOwner> now = view.owners();
  std::erase_if(*closed, [&](HostOwner& owner) {
    const auto same = std::find_if(now.begin(), now.end(), [&](const HostOwner& one) {
      return one.pid == owner.pid && one.pid_namespace == owner.pid_namespace;
    });
    if (same == now.end()) {
      return true;
    }
    owner = *same;
    return false;
  });
}

// Bit d: one of `closed`, who could not be looked into, has device d open.
uint64_t hidden_devices(const HostView& view, std::vector<HostOwner> closed) {
  keep_hidden(view, &closed);
  if (!closed.empty()) {  // it may just have begun, or may be dying in a way that is not to be seen yet
    wait_until_passed(monotonic_ns() + kWindowNs);
    keep_hidden(view, &closed);
  }
  uint64_t hidden = 0;
  for (const HostOwner& owner : closed) {
    hidden |= owner.open_devices;
  }
  return hidden;
}

}  // namespace

void measure_load(const HostView& view, const std::vector<HostOwner>& owners, std::vector<SmiDevice>* devices) {
  std::vector<Watched> all;
  std::vector<HostOwner> closed;
  for (const HostOwner& owner : owners) {
    if (owner.open_devices == 0) {
      continue;
    }
    if (auto engines = EngineView::open(owner)) {
      all.push_back({std::move(*engines), {}});
    } else {
      closed.push_back(owner);
    }
  }
  std::array<EngineShares, kMaxDevices> sums{};
  if (!all.empty() || !closed.empty()) {
    const uint64_t end = monotonic_ns() + kWindowNs;
    for (Watched& watched : all) {
      watched.view.watch(end);
      watched.before = watched.view.read();
    }
    wait_until_passed(end);
    for (Watched& watched : all) {
      add_shares(watched, &sums);
      watched.view.leave();
    }
  }
  const uint64_t hidden = hidden_devices(view, std::move(closed));
  for (SmiDevice& device : *devices) {
    if ((hidden >> device.id & 1) == 0) {
      const EngineShares& sum = sums[static_cast<size_t>(device.id)];
      device.shares = SmiShares{percent(sum.cube), percent(sum.vector), percent(sum.aicpu), percent(sum.dma)};
    }
  }
}

}  // namespace canopy::cli
