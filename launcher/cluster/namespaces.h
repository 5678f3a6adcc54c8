// Namespaces: the system calls that make and join them, for root and for ordinary users.
//
// An ordinary user gets the rights over network and mounts from a user namespace, in which he stays
// the user he is (his id is mapped to itself). Such rights end at exec; keep_rights_over_exec()
// hands on those that entering hosts and configuring their network need.
//
// All of these act on the calling process, which must have one thread.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstdint>
#include <functional>

#include <sys/types.h>

namespace canopy::cluster {

// What a host and the head have of their own.
uint64_t host_namespaces();

// True where making namespaces takes a user namespace first: without CAP_SYS_ADMIN.
bool needs_user_namespace();

// fork() whose child lives in new namespaces (CLONE_NEW* bits); in the child 0 is returned.
// Errc::not_supported with the reason when this machine does not allow it.
Result<pid_t> fork_into(uint64_t namespaces);

// In the first process of a new user namespace: user and group stay the same numbers.
Result<> map_ids_to_themselves(uid_t uid, gid_t gid);

// Moves the calling process into the namespaces of the process behind `pidfd`, into its user
// namespace too when it has another. The pid namespace counts for children forked later.
Result<> join(const UniqueFd& pidfd, uint64_t namespaces);

Result<UniqueFd> open_process(pid_t pid);

// Identifies a process's namespace ("pid", "net", "user"); 0 when it cannot be read.
uint64_t namespace_id(pid_t pid, std::string_view kind);

void keep_rights_over_exec();
void drop_rights_at_exec();

// Runs `body` in a child and returns its result here, sentence included; the child shares nothing
// else.
Result<> in_child(const std::function<Result<>()>& body);

}  // namespace canopy::cluster
