#include "runtime/api/last_error.h"

#include "runtime/api/recent_errors.h"
#include "runtime/base/result.h"

#include "acl/error_codes/rt_error_codes.h"

#include <utility>

namespace canopy::acl {
namespace {
thread_local int t_last_error = 0;
}

int remember(int code) {
  if (code != 0) {
    t_last_error = code;
    publish_errors(code);
  }
  return code;
}

int last_error() { return t_last_error; }

int take_last_error() { return std::exchange(t_last_error, 0); }

int refuse_not_built(const char* function) {
  error_text::record(
      Errc::not_supported, 0,
      fmt::format("{} is not built in this version; `canopy info --api` lists what is", function),
      std::source_location::current());
  return remember(ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

}  // namespace canopy::acl
