// acl_rt.h: the newest error of the thread, as a sentence and as a code.
#include "runtime/api/guard.h"
#include "runtime/api/recent_errors.h"
#include "runtime/base/thread_instance.h"

#include <string>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;

namespace {

struct ServedText;

Result<> check_level(aclrtLastErrLevel level) {
  if (level != ACL_RT_THREAD_LEVEL) {
    return fail(Errc::invalid_argument, "level {} is not one of aclrtLastErrLevel",
                static_cast<int>(level));
  }
  return {};
}

}  // namespace

extern "C" {

const char* aclGetRecentErrMsg(void) {
  auto& text = thread_instance<ServedText, std::string>();
  text = acl::take_recent_error();
  return text.empty() ? nullptr : text.c_str();
}

aclError aclrtPeekAtLastError(aclrtLastErrLevel level) {
  const aclError code = guard([&] { return check_level(level); });
  return code == ACL_SUCCESS ? acl::last_error() : code;
}

aclError aclrtGetLastError(aclrtLastErrLevel level) {
  const aclError code = guard([&] { return check_level(level); });
  return code == ACL_SUCCESS ? acl::take_last_error() : code;
}

}  // extern "C"
