/* Labels: jumps inside of streams that are bound to a model; and tasks that are changed after they
 * were queued. Compiles as C11 and C++. */
#ifndef ACL_RT_LABEL_H
#define ACL_RT_LABEL_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aclrtUpdateTaskAttrId {
  ACL_RT_UPDATE_RANDOM_TASK = 1,
  ACL_RT_UPDATE_AIC_AIV_TASK = 2
} aclrtUpdateTaskAttrId;

typedef void* aclrtLabel;
typedef void* aclrtLabelList;
typedef struct aclrtRandomTaskUpdateAttr {
  void* srcAddr; /* device memory with the new parameters */
  size_t size;
  uint32_t rsv[4];
} aclrtRandomTaskUpdateAttr;
typedef struct aclrtAicAivTaskUpdateAttr {
  void* binHandle;
  void* funcEntryAddr; /* device memory with the entry */
  void* blockDimAddr;  /* device memory with the number of blocks */
  uint32_t rsv[4];
} aclrtAicAivTaskUpdateAttr;
typedef union aclrtUpdateTaskAttrVal {
  aclrtRandomTaskUpdateAttr randomTaskAttr;
  aclrtAicAivTaskUpdateAttr aicAivTaskAttr;
} aclrtUpdateTaskAttrVal;
typedef struct aclrtTaskUpdateInfo {
  aclrtUpdateTaskAttrId id;
  aclrtUpdateTaskAttrVal val;
} aclrtTaskUpdateInfo;

/* At most 65535 per process. */
ACL_FUNC_VISIBILITY aclError aclrtCreateLabel(aclrtLabel* label);
/* Puts the label at the end of what `stream`, bound to a model, holds now. */
ACL_FUNC_VISIBILITY aclError aclrtSetLabel(aclrtLabel label, aclrtStream stream);
ACL_FUNC_VISIBILITY aclError aclrtDestroyLabel(aclrtLabel label);
ACL_FUNC_VISIBILITY aclError aclrtCreateLabelList(aclrtLabel* labels, size_t num,
                                                  aclrtLabelList* labelList);
ACL_FUNC_VISIBILITY aclError aclrtDestroyLabelList(aclrtLabelList labelList);
/* In stream order: jumps to the label whose index is the 32-bit word at `ptr`; one too large means
 * the last. */
ACL_FUNC_VISIBILITY aclError aclrtSwitchLabelByIndex(void* ptr, uint32_t maxValue,
                                                     aclrtLabelList labelList, aclrtStream stream);
/* In order of `execStream`: changes task `taskId` of `taskStream`, which is bound to a model. */
ACL_FUNC_VISIBILITY aclError aclrtTaskUpdateAsync(aclrtStream taskStream, uint32_t taskId,
                                                  aclrtTaskUpdateInfo* info,
                                                  aclrtStream execStream);
/* The task this thread queued last on a stream that the user created: its number in that stream, from 0, as
 * exception callbacks tell it. 4294967295 when there is none yet. */
ACL_FUNC_VISIBILITY aclError aclrtGetThreadLastTaskId(uint32_t* taskId);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_LABEL_H */
