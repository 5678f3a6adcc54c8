// LauncherWatch: ends this process when its launcher is gone.
//
// A killed or crashed mpirun leaves its processes running, for ever if they compute. PMIx has no
// event for that which arrives (Open MPI 4.1), but a pidfd of the launcher becomes readable.
//
// One thread that sleeps in poll. Where the kernel has no pidfd (before 5.3), or /proc does not
// tell who the launcher is, nothing is watched.
#pragma once

#include "runtime/base/unique_fd.h"

#include <memory>
#include <string>
#include <thread>

namespace canopy {

class LauncherWatch {
 public:
  // The exit status of a process whose launcher is gone.
  static constexpr int kStatus = 134;

  // Null when it cannot be watched. `name` is who speaks ("pe 2 of 4"); empty: leaves without a
  // word, another PE of this host says it.
  static std::unique_ptr<LauncherWatch> start(int launcher_pid, std::string name);
  // In the child of a fork: does nothing, the thread is not there.
  ~LauncherWatch();
  LauncherWatch(const LauncherWatch&) = delete;
  LauncherWatch& operator=(const LauncherWatch&) = delete;

 private:
  LauncherWatch() = default;
  void watch(int launcher_pid, const std::string& name) const;

  UniqueFd launcher_;
  UniqueFd stop_;
  int owner_ = 0;  // the process that has the thread
  std::unique_ptr<std::thread> thread_;
};

}  // namespace canopy
