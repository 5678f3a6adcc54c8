/* The place of single operators, which are not part of the runtime: packages that bring them put
 * their own header here. Compiles as C11 and C++. */
#ifndef ACL_OP_H
#define ACL_OP_H

#include "acl/acl_base_rt.h"

#endif /* ACL_OP_H */
