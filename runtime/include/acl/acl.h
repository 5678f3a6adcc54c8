/* The umbrella header of the device runtime. Compiles as C11 and C++. */
#ifndef ACL_H
#define ACL_H

#include "acl/acl_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialises the runtime. `configPath` is NULL or a JSON file; nesting is limited to 10. The second and
 * later calls return 100002, and still count for aclFinalizeReference.
 * Errors: 100000 the file cannot be read, 100006 it is not JSON. */
ACL_FUNC_VISIBILITY aclError aclInit(const char* configPath);
/* Tears everything down whatever the count; 100037 when there is nothing to finalize. */
ACL_FUNC_VISIBILITY aclError aclFinalize(void);
/* Counts down and tears down at zero; writes the remaining count (`refCount` may be NULL); 100037. */
ACL_FUNC_VISIBILITY aclError aclFinalizeReference(uint64_t* refCount);
/* The newest error sentence of this thread, then forgets it; NULL when there is none. Valid until
 * the thread's next call of it. */
ACL_FUNC_VISIBILITY const char* aclGetRecentErrMsg(void);

#ifdef __cplusplus
}
#endif

#endif /* ACL_H */
