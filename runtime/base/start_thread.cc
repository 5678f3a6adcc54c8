#include "runtime/base/start_thread.h"

#include <sys/resource.h>

#include <string>

namespace canopy {
namespace {

std::string limit_text(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) {
    return "unknown";
  }
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

}  // namespace

tl::unexpected<Error> refuse_thread(std::string_view what, int err) noexcept {
  try {
    return fail_errno(Errc::limit, err, "no thread for {}: RLIMIT_NPROC is {}, RLIMIT_AS is {}", what,
                      limit_text(RLIMIT_NPROC), limit_text(RLIMIT_AS));
  } catch (const std::bad_alloc&) {
    return tl::unexpected<Error>(Error{Errc::limit, err, std::source_location::current()});
  }
}

}  // namespace canopy
