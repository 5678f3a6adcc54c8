// Whether a process, or a file, is of the user that we run as.
//
// Equal numbers are not enough: by one number, the overflow uid (65534), the kernel tells of every user whom our user
// namespace does not map. To who bears that number itself - a container that runs as "nobody", a namespace without a map -
// all strangers look like itself. There the kernel is asked something that it answers by the users behind the numbers:
// of a process, whether we may look at its namespaces, which must be ours; of a file, whether we may change its mode.
// So processes of one such user find each other within a namespace, and not across two.
#pragma once

#include "runtime/base/unique_fd.h"

#include <sys/stat.h>
#include <sys/types.h>

namespace canopy {

// Reads what the answers need of files. For who serves others: while there are descriptors.
void learn_users();

// `uid` and `pid` as the kernel gives them of a socket's other end.
bool is_our_user(uid_t uid, pid_t pid);
// `status` of the file that is open as `fd`.
bool is_our_file(const UniqueFd& fd, const struct stat& status);

}  // namespace canopy
