/* The device runtime, one header per chapter. Compiles as C11 and C++.
 *
 * Every function returns ACL_SUCCESS (0) or a code of acl_base_rt.h or
 * error_codes/rt_error_codes.h; the sentence behind a code comes from aclGetRecentErrMsg. All
 * functions may be called from any thread. A NULL stream is the default stream of the current
 * context. Unless a line says otherwise a NULL pointer is 100000, a dead or foreign handle 107017,
 * and outputs are written only on success.
 *
 * Names, values and widths follow acl_rt.h of the acl runtime interface 1.17; behaviour, and the
 * codes chosen where that interface leaves them open, are listed in runtime/api/README.md. All of
 * the interface is declared; what is not built yet returns 207000 (without an error code: NULL, 0
 * or nothing) and leaves a sentence that says so. `canopy info --api` lists it. */
#ifndef ACL_RT_H
#define ACL_RT_H

#include "acl/acl_base_rt.h"
#include "acl/acl_rt_allocator.h"
#include "acl/acl_rt_memory_soma.h"
#include "acl/rt/binary.h"
#include "acl/rt/buffer.h"
#include "acl/rt/cache.h"
#include "acl/rt/capture.h"
#include "acl/rt/context.h"
#include "acl/rt/copy.h"
#include "acl/rt/device.h"
#include "acl/rt/dump.h"
#include "acl/rt/error.h"
#include "acl/rt/event.h"
#include "acl/rt/global.h"
#include "acl/rt/host_func.h"
#include "acl/rt/ipc_memory.h"
#include "acl/rt/kernel_args.h"
#include "acl/rt/label.h"
#include "acl/rt/launch.h"
#include "acl/rt/limits.h"
#include "acl/rt/managed.h"
#include "acl/rt/memory.h"
#include "acl/rt/model.h"
#include "acl/rt/model_task.h"
#include "acl/rt/notify.h"
#include "acl/rt/overflow.h"
#include "acl/rt/peer.h"
#include "acl/rt/random.h"
#include "acl/rt/snapshot.h"
#include "acl/rt/stream.h"
#include "acl/rt/symbol.h"
#include "acl/rt/value.h"
#include "acl/rt/vmm.h"

#endif /* ACL_RT_H */
