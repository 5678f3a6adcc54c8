// What the interface declares and this build lacks: one function per row of the table.
//
// The acl headers are not included on purpose: here the functions have no parameters. With C
// linkage the name alone identifies a function, and the caller, who passes the arguments, also
// takes them away.
#include "runtime/api/last_error.h"

#include <cstddef>

using canopy::acl::refuse_not_built;

#define CANOPY_ACL_built(name)
#define CANOPY_ACL_code(name) \
  int name() { return refuse_not_built(#name); }
#define CANOPY_ACL_pointer(name) \
  void* name() {                 \
    refuse_not_built(#name);     \
    return nullptr;              \
  }
#define CANOPY_ACL_number(name) \
  size_t name() {               \
    refuse_not_built(#name);    \
    return 0;                   \
  }
#define CANOPY_ACL_nothing(name) \
  void name() { refuse_not_built(#name); }
#define ACL_FUNCTION(name, header, state) CANOPY_ACL_##state(name)

extern "C" {
#include "runtime/api/table/functions.inc"
}
