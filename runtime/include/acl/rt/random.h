/* Random numbers in device memory. Compiles as C11 and C++. */
#ifndef ACL_RT_RANDOM_H
#define ACL_RT_RANDOM_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aclrtRandomNumFuncType {
  ACL_RT_RANDOM_NUM_FUNC_TYPE_DROPOUT_BITMASK = 0,
  ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS = 1,
  ACL_RT_RANDOM_NUM_FUNC_TYPE_NORMAL_DIS = 2,
  ACL_RT_RANDOM_NUM_FUNC_TYPE_TRUNCATED_NORMAL_DIS = 3
} aclrtRandomNumFuncType;

/* A number, or the device address of one. */
typedef struct aclrtRandomParaInfo {
  uint8_t isAddr;
  uint8_t valueOrAddr[8];
  uint8_t size; /* bytes of the number */
  uint8_t rsv[6];
} aclrtRandomParaInfo;
typedef struct aclrtDropoutBitMaskInfo {
  aclrtRandomParaInfo dropoutRation;
} aclrtDropoutBitMaskInfo;
typedef struct aclrtUniformDisInfo {
  aclrtRandomParaInfo min;
  aclrtRandomParaInfo max;
} aclrtUniformDisInfo;
typedef struct aclrtNormalDisInfo {
  aclrtRandomParaInfo mean;
  aclrtRandomParaInfo stddev;
} aclrtNormalDisInfo;
typedef struct aclrtRandomNumFuncParaInfo {
  aclrtRandomNumFuncType funcType;
  union {
    aclrtDropoutBitMaskInfo dropoutBitmaskInfo;
    aclrtUniformDisInfo uniformDisInfo;
    aclrtNormalDisInfo normalDisInfo; /* truncated or not */
  } paramInfo;
} aclrtRandomNumFuncParaInfo;
typedef struct aclrtRandomNumTaskInfo {
  aclDataType dataType;
  aclrtRandomNumFuncParaInfo randomNumFuncParaInfo;
  void* randomParaAddr;    /* memory for the parameters; not needed here */
  void* randomResultAddr;  /* device memory */
  void* randomCounterAddr; /* 16 bytes of device memory: where the sequence begins; NULL: at 0 */
  aclrtRandomParaInfo randomSeed;
  aclrtRandomParaInfo randomNum; /* how many */
  uint8_t rsv[8];
} aclrtRandomNumTaskInfo;

/* In stream order: numbers of Philox4x32-10, which depend on seed, counter and their place alone.
 * Types: int32, int64, uint32, uint64 (uniform only), fp16, bf16, fp32. Uniform: at least min,
 * below max; truncated normal: within two standard deviations; dropout: a bit per number, 0 with
 * the ratio's probability. Parameters have the width of the type. `reserve` is NULL. What comes
 * from memory and is wrong fails the task with 507013. */
ACL_FUNC_VISIBILITY aclError aclrtRandomNumAsync(const aclrtRandomNumTaskInfo* taskInfo,
                                                 const aclrtStream stream, void* reserve);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_RANDOM_H */
