// RecentErrors: what aclGetRecentErrMsg serves - for each failure what happened, the likely cause
// and what to do. Of the calling thread or, when the configuration says so, of the whole process.
// Thread-safe.
//
// The sentences come from error_text of runtime/base, which every failing function writes; only the
// newest are kept: 8 per thread, 64 of a process.
#pragma once

#include <string>

namespace canopy::acl {

// Takes over what the calling thread has recorded; the newest sentence belongs to `code`.
void publish_errors(int code);
// Removes and returns the newest text; "" when there is none.
std::string take_recent_error();
// From now on. What was recorded in the other way stays there.
void share_errors_of_process(bool share);

}  // namespace canopy::acl
