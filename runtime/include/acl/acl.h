/* The umbrella header of the device runtime: what most programs include. Compiles as C11 and
 * C++. */
#ifndef ACL_H
#define ACL_H

#include "acl/acl_mdl.h"
#include "acl/acl_op.h"
#include "acl/acl_rt.h"

#endif /* ACL_H */
