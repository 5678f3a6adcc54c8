// PrivateMounts: what a fake host sees of the machine's files.
//
// A host has /tmp, /dev/shm, /proc and /etc/hosts of its own; everything else is the machine's.
// What lies in the machine's /tmp or /dev/shm and must be seen by all hosts (a build tree, the
// folder the user works in) is shown at its usual place on request, by the entry of /tmp that holds
// it. For that the machine's /tmp stays reachable on the host under a folder of the cluster,
// read-only there, so that nobody on a host can clear it away by accident.
//
// All functions act on the mount namespace of the calling process.
#pragma once

#include "launcher/cluster/cluster_files.h"
#include "runtime/base/result.h"

#include <string>

namespace canopy::cluster {

// In a new mount namespace: nothing done here shows elsewhere, nor the other way round.
Result<> separate_mounts();
// /proc of the calling process's pid namespace, and the cluster's /etc/hosts.
Result<> mount_proc_and_hosts(const ClusterFiles& files);
// /tmp and /dev/shm of the host's own. REQUIRES: prepare_private_folders() of the cluster.
Result<> mount_private_folders(const ClusterFiles& files);
// The folders under the cluster's own that the mounts above need; once per cluster.
Result<> prepare_private_folders(const ClusterFiles& files);
// On the head, which sees the machine's /tmp: a place for mpirun's session files that leaves
// nothing.
Result<> mount_session_folder(const ClusterFiles& files);
void unmount_session_folder(const ClusterFiles& files);

// The entry of a private folder that holds `path`: "/tmp/build" for "/tmp/build/bin/x"; "" when
// hosts see `path` anyway, or when it is the private folder itself. REQUIRES: an absolute, normal
// path.
std::string entry_to_show(const std::string& path);
// Shows such an entry on this host. Nothing happens when it is shown already, or is not there.
Result<> show_entry(const ClusterFiles& files, const std::string& entry);

}  // namespace canopy::cluster
