/* The shared types under their older name. Compiles as C11 and C++. */
#ifndef ACL_BASE_H
#define ACL_BASE_H

#include "acl/acl_base_mdl.h"
#include "acl/acl_base_rt.h"

#endif /* ACL_BASE_H */
