/* The place of the types of offline models, which are not part of the runtime: packages that bring
 * them put their own header here. Compiles as C11 and C++. */
#ifndef ACL_BASE_MDL_H
#define ACL_BASE_MDL_H

#include "acl/acl_base_rt.h"

#endif /* ACL_BASE_MDL_H */
