// The code of the newest failed call of each thread: aclrtPeekAtLastError and aclrtGetLastError. Plain
// ints, because not_built.cc must not see the acl headers. Per thread, so without locks.
#pragma once

namespace canopy::acl {

// Stores `code` unless it is 0, with the sentences recorded since (recent_errors.h), and returns it:
// return remember(107000);
int remember(int code);
int last_error();
// The same, and forgets it.
int take_last_error();

// "aclrtX is not built ..." and 207000.
int refuse_not_built(const char* function);

}  // namespace canopy::acl
