/* Words of device memory in stream order: write, wait, reduce. Compiles as C11 and C++. */
#ifndef ACL_RT_VALUE_H
#define ACL_RT_VALUE_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ACL_STREAM_WAIT_VALUE_GEQ 0x00000000U
#define ACL_STREAM_WAIT_VALUE_EQ 0x00000001U
#define ACL_STREAM_WAIT_VALUE_AND 0x00000002U
#define ACL_STREAM_WAIT_VALUE_NOR 0x00000003U

typedef enum aclrtReduceKind {
  ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM = 10,
  ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX = 11,
  ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN = 12,
  ACL_RT_MEMCPY_SDMA_AUTOMATIC_EQUAL = 13
} aclrtReduceKind;

/* Stores 64 bits at an address that is a multiple of 8. `flag` is 0. */
ACL_FUNC_VISIBILITY aclError aclrtValueWrite(void* devAddr, uint64_t value, uint32_t flag,
                                             aclrtStream stream);
/* Until the word is at least `value` (as a signed difference), equal, has one of its bits, or
 * lacks one of them: ACL_STREAM_WAIT_VALUE_*. Any agent may change the word. */
ACL_FUNC_VISIBILITY aclError aclrtValueWait(void* devAddr, uint64_t value, uint32_t flag,
                                            aclrtStream stream);
/* dst = reduce(dst, src), element by element; `count` in bytes; `reserve` is NULL. Both on the
 * stream's device. */
ACL_FUNC_VISIBILITY aclError aclrtReduceAsync(void* dst, const void* src, uint64_t count,
                                              aclrtReduceKind kind, aclDataType type,
                                              aclrtStream stream, void* reserve);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_VALUE_H */
