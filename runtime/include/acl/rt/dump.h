/* Dump of what operators read and write, as a file says. More: acl/acl_dump.h. Compiles as C11 and
 * C++. */
#ifndef ACL_RT_DUMP_H
#define ACL_RT_DUMP_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Error: 100044 is on. */
ACL_FUNC_VISIBILITY aclError aclmdlInitDump(void);
/* `dumpCfgPath` is a JSON file. Error: 100045 aclmdlInitDump was not called. */
ACL_FUNC_VISIBILITY aclError aclmdlSetDump(const char* dumpCfgPath);
/* Error: 100045. */
ACL_FUNC_VISIBILITY aclError aclmdlFinalizeDump(void);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_DUMP_H */
