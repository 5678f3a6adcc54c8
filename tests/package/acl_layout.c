/* The layout of every struct that user code fills or reads, on 64-bit machines: it is part of the
 * binary interface. A line that does not hold does not compile. */
#include "acl/acl.h"
#include "acl/acl_dump.h"
#include "acl/acl_prof.h"

#include <stddef.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)

SIZE(aclrtMemLocation, 8);
AT(aclrtMemLocation, id, 0); /* id first; aclrtMemManagedLocation has the type first */
AT(aclrtMemLocation, type, 4);
SIZE(aclrtMemManagedLocation, 8);
AT(aclrtMemManagedLocation, type, 0);
AT(aclrtMemManagedLocation, id, 4);
SIZE(aclrtPtrAttributes, 28);
AT(aclrtPtrAttributes, pageSize, 8);
AT(aclrtPtrAttributes, rsv, 12);
SIZE(aclrtPhysicalMemProp, 32);
AT(aclrtPhysicalMemProp, allocationType, 4);
AT(aclrtPhysicalMemProp, memAttr, 8);
AT(aclrtPhysicalMemProp, location, 12);
AT(aclrtPhysicalMemProp, reserve, 24);
SIZE(aclrtMemAccessDesc, 24);
AT(aclrtMemAccessDesc, location, 4);
AT(aclrtMemAccessDesc, rsv, 12);
SIZE(aclrtMemcpyBatchAttr, 32);
AT(aclrtMemcpyBatchAttr, srcLoc, 8);
AT(aclrtMemcpyBatchAttr, rsv, 16);
SIZE(aclrtMemUsageInfo, 112);
AT(aclrtMemUsageInfo, curMemSize, 32);
AT(aclrtMemUsageInfo, memPeakSize, 40);
SIZE(aclrtMallocAttrValue, 8);
SIZE(aclrtMallocAttribute, 12);
AT(aclrtMallocAttribute, value, 4);
SIZE(aclrtMallocConfig, 16);
AT(aclrtMallocConfig, numAttrs, 8);
SIZE(aclrtServerPid, 24);
AT(aclrtServerPid, pid, 8);
AT(aclrtServerPid, num, 16);
SIZE(aclrtMemFabricHandle, 128);
SIZE(aclrtIpcEventHandle, 64);
SIZE(aclrtUuid, 16);
SIZE(aclrtLaunchKernelAttrValue, 16);
SIZE(aclrtLaunchKernelAttr, 20);
AT(aclrtLaunchKernelAttr, value, 4);
SIZE(aclrtLaunchKernelCfg, 16);
AT(aclrtLaunchKernelCfg, numAttrs, 8);
SIZE(aclrtPlaceHolderInfo, 8);
AT(aclrtPlaceHolderInfo, dataOffset, 4);
SIZE(dim3, 12);
AT(dim3, y, 4);
AT(dim3, z, 8);
SIZE(aclrtStreamAttrValue, 16);
SIZE(aclrtStreamConfigHandle, 32);
AT(aclrtStreamConfigHandle, workSize, 8);
AT(aclrtStreamConfigHandle, flag, 16);
AT(aclrtStreamConfigHandle, priority, 24);
SIZE(aclrtCntNotifyRecordInfo, 8);
AT(aclrtCntNotifyRecordInfo, value, 4);
SIZE(aclrtCntNotifyWaitInfo, 16);
AT(aclrtCntNotifyWaitInfo, timeout, 8);
AT(aclrtCntNotifyWaitInfo, isClear, 12);
SIZE(aclrtUtilizationInfo, 24);
AT(aclrtUtilizationInfo, vectorUtilization, 4);
AT(aclrtUtilizationInfo, aicpuUtilization, 8);
AT(aclrtUtilizationInfo, memoryUtilization, 12);
AT(aclrtUtilizationInfo, utilizationExtend, 16);
SIZE(aclrtMemUceInfo, 128);
AT(aclrtMemUceInfo, len, 8);
AT(aclrtErrorInfo, hasDetail, 1);
AT(aclrtErrorInfo, errorType, 4);
AT(aclrtErrorInfo, detail, 8);
SIZE(aclmdlRITaskParams, 200);
AT(aclmdlRITaskParams, rsv0, 4);
AT(aclmdlRITaskParams, taskGrp, 16);
AT(aclmdlRITaskParams, opInfoPtr, 24);
AT(aclmdlRITaskParams, opInfoSize, 32);
AT(aclmdlRITaskParams, rsv1, 40);
AT(aclmdlRITaskParams, rsv2, 72);
AT(aclmdlRITaskParams, kernelTaskParams, 72);
AT(aclmdlRITaskParams, valueWaitTaskParams, 72);
SIZE(aclmdlRIKernelTaskParams, 88);
AT(aclmdlRIKernelTaskParams, cfg, 8);
AT(aclmdlRIKernelTaskParams, args, 16);
AT(aclmdlRIKernelTaskParams, isHostArgs, 24);
AT(aclmdlRIKernelTaskParams, argsSize, 32);
AT(aclmdlRIKernelTaskParams, numBlocks, 40);
AT(aclmdlRIKernelTaskParams, rsv, 44);
SIZE(aclmdlRIEventRecordTaskParams, 16);
SIZE(aclmdlRIEventWaitTaskParams, 16);
SIZE(aclmdlRIEventResetTaskParams, 16);
SIZE(aclmdlRIValueWriteTaskParams, 16);
SIZE(aclmdlRIValueWaitTaskParams, 24);
SIZE(aclmdlRICondTaskParams, 24);
AT(aclmdlRICondTaskParams, type, 8);
AT(aclmdlRICondTaskParams, size, 12);
AT(aclmdlRICondTaskParams, modelRIArray, 16);
SIZE(aclrtRandomParaInfo, 16);
AT(aclrtRandomParaInfo, valueOrAddr, 1);
AT(aclrtRandomParaInfo, size, 9);
SIZE(aclrtSnapShotBackupArgs, 64);
AT(aclrtSnapShotBackupArgs, reserved, 4);
SIZE(aclrtSnapShotRestoreArgs, 64);
SIZE(aclCANNPackageVersion, 512);
AT(aclCANNPackageVersion, majorVersion, 128);
AT(aclCANNPackageVersion, patchVersion, 320);
AT(aclCANNPackageVersion, reserved, 384);
SIZE(aclrtMemPoolProps, 56);
AT(aclrtMemPoolProps, handleType, 4);
AT(aclrtMemPoolProps, location, 8);
AT(aclrtMemPoolProps, maxSize, 16);
AT(aclrtMemPoolProps, reserved, 24);
SIZE(aclrtBinaryLoadOptionValue, 16);
SIZE(aclrtBinaryLoadOption, 20);
SIZE(aclrtBinaryLoadOptions, 16);
AT(acldumpChunk, bufLen, 4096);
AT(acldumpChunk, isLastChunk, 4100);
AT(acldumpChunk, offset, 4104);
AT(acldumpChunk, flag, 4112);
AT(acldumpChunk, dataBuf, 4116);
