/* Pools of device memory in stream order: an allocation may be used by what is queued after it, a
 * block that is freed in stream order is used again. Compiles as C11 and C++. */
#ifndef ACL_RT_MEMORY_SOMA_H
#define ACL_RT_MEMORY_SOMA_H

#include "acl/acl_base_rt.h"
#include "acl/rt/memory_location.h"
#include "acl/rt/vmm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aclrtMemPoolAttr {
  ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES = 1,
  ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC = 2,
  ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES = 3,
  ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD = 4,
  ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT = 5,
  ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH = 6,
  ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT = 7,
  ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH = 8
} aclrtMemPoolAttr;

typedef void* aclrtMemPool;
typedef struct aclrtMemPoolProps {
  aclrtMemAllocationType allocType;
  aclrtMemHandleType handleType;
  aclrtMemLocation location; /* a device */
  size_t maxSize;            /* bytes; 0: as much as the device has */
  unsigned char reserved[32];
} aclrtMemPoolProps;

ACL_FUNC_VISIBILITY aclError aclrtMemPoolCreate(aclrtMemPool* memPool,
                                                const aclrtMemPoolProps* poolProps);
/* Blocks that are live stay until they are freed. */
ACL_FUNC_VISIBILITY aclError aclrtMemPoolDestroy(const aclrtMemPool memPool);
/* `value` points to a uint32_t (0 or 1) for the three REUSE switches, to a uint64_t of bytes for
 * the others. CURRENT cannot be set, HIGH only to 0. Of the switches FOLLOW_EVENT_DEPENDENCIES and
 * ALLOW_OPPORTUNISTIC start as 1, ALLOW_INTERNAL_DEPENDENCIES as 0: it makes streams wait. */
ACL_FUNC_VISIBILITY aclError aclrtMemPoolSetAttr(aclrtMemPool memPool, aclrtMemPoolAttr attr,
                                                 void* value);
ACL_FUNC_VISIBILITY aclError aclrtMemPoolGetAttr(aclrtMemPool memPool, aclrtMemPoolAttr attr,
                                                 void* value);
/* The address is there on return; the memory may be used in stream order. Error: 207001 the pool's
 * maximum is reached, or the device is full. */
ACL_FUNC_VISIBILITY aclError aclrtMemPoolMallocAsync(void** ptr, size_t size, aclrtMemPool memPool,
                                                     aclrtStream stream);
/* Back to the pool in stream order. Errors: 107000 not the start of a live block, or of another
 * device than the stream. */
ACL_FUNC_VISIBILITY aclError aclrtMemPoolFreeAsync(void* ptr, aclrtStream stream);
/* Gives unused memory back at once, but keeps `minBytesToKeep` bytes; wins over the release
 * threshold. */
ACL_FUNC_VISIBILITY aclError aclrtMemPoolTrimTo(aclrtMemPool memPool, size_t minBytesToKeep);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_MEMORY_SOMA_H */
