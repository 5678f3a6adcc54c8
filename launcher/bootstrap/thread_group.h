// ThreadGroup: a job whose PEs are threads of one process, for tests of the layers above.
//
// Each PE's thread owns one Bootstrap of kind "threads" and calls it as it would call any other.
// What a launcher does for processes the group does for threads: a PE that gives its Bootstrap up
// without finalize, aborts, or runs into its deadline fails everybody else's waits with
// Errc::peer_lost, at once and for good. No thread is ever ended from outside.
//
//   ThreadGroup group(4);
//   group.run([](std::unique_ptr<Bootstrap> me) { ...; (void)me->finalize(); });
//
// The Bootstraps may outlive the group object. Thread-safe.
#pragma once

#include "launcher/bootstrap/bootstrap.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace canopy {

class ThreadGroup {
 public:
  // Waits are limited by CANOPY_TIMEOUT, or by `wait_limit` when given.
  explicit ThreadGroup(int n_pes,
                       std::optional<std::chrono::nanoseconds> wait_limit = std::nullopt);
  ~ThreadGroup();
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  // The Bootstrap of one PE. REQUIRES: 0 <= pe < n_pes, and at most one call for each pe.
  std::unique_ptr<Bootstrap> bootstrap(int pe);

  // Declares that a PE will not come (its thread died before it took its Bootstrap).
  void abandon(int pe, std::string_view reason);

  // Runs `body` once per PE, each in its own thread, and returns when all have returned.
  void run(const std::function<void(std::unique_ptr<Bootstrap>)>& body);

  // What abort() of some PE said first, if any did.
  struct Abort {
    int pe;
    int status;
    std::string reason;
  };
  std::optional<Abort> aborted() const;

 private:
  class Job;
  class ThreadBootstrap;
  std::shared_ptr<Job> job_;
};

}  // namespace canopy
