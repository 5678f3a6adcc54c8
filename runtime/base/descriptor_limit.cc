#include "runtime/base/descriptor_limit.h"

#include "runtime/base/unique_fd.h"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <cerrno>

namespace canopy {

bool raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max) {
    return false;
  }
  files.rlim_cur = files.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

bool descriptors_have_run_out() {
  const UniqueFd one_more(::epoll_create1(EPOLL_CLOEXEC));
  return !one_more && errno == EMFILE;
}

}  // namespace canopy
