// ClusterFiles: the folder of a cluster, its state file, and the lock that tells whether it lives.
//
//   FOLDER/NAME/lock        held by the head's first process for as long as it lives
//               state.json  what commands must know to find it
//               hosts, hostfile, machine/, session/, h1.dead, h1.0.rate ...
//
// FOLDER is /run/canopy-cluster for root and $XDG_RUNTIME_DIR/canopy-cluster, or a folder of that
// user under /var/tmp, for others. A cluster whose lock is free is dead, whatever files are there,
// and the next `up` or `down` of that name clears them away.
//
// Any process may use it; the lock orders `up` against `up`.
#pragma once

#include "launcher/cluster/layout.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace canopy::cluster {

struct State {
  Layout layout;
  pid_t head = 0;            // as the machine numbers processes
  uint64_t head_pid_ns = 0;  // who is in it sees the head's numbers, not the machine's
  std::vector<pid_t> first;  // of each host its first process, as the head numbers processes
};

class ClusterFiles {
 public:
  // Errc::invalid_argument: a name that cannot be a file's.
  static Result<ClusterFiles> of(std::string name);
  // The names of all clusters of this user that are up.
  static std::vector<std::string> living();

  const std::string& name() const { return name_; }
  const std::string& folder() const { return folder_; }
  std::string path(std::string_view leaf) const { return folder_ + "/" + std::string(leaf); }

  // Makes the folder, empty but for the lock, and takes the lock; the cluster lives as long as any
  // copy of the returned descriptor. Errc::busy: it is up already.
  Result<UniqueFd> claim() const;
  bool is_up() const;

  Result<> write_state(const State& state) const;
  // Errc::not_found: no such cluster is up. Errc::not_ready: it is being made.
  Result<State> read_state() const;

  // Small facts that commands leave for each other: "h1.0.rate" -> "400mbit".
  Result<> write(std::string_view leaf, std::string_view text) const;
  std::optional<std::string> read(std::string_view leaf) const;
  void forget(std::string_view leaf) const;

  // Everything, lock included. For who holds the lock, or knows it is free.
  Result<> remove_all() const;

 private:
  ClusterFiles(std::string name, std::string folder)
      : name_(std::move(name)), folder_(std::move(folder)) {}

  std::string name_;
  std::string folder_;
};

}  // namespace canopy::cluster
