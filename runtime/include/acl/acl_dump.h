/* Dump: what operators read and write, and what was there when one failed. Compiles as C11 and
 * C++. */
#ifndef ACL_DUMP_H
#define ACL_DUMP_H

#include "acl/acl_base_rt.h"
#include "acl/rt/dump.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ACL_DUMP_MAX_FILE_PATH_LENGTH 4096
#define ACL_OP_DUMP_OP_AICORE_ARGS 0x00000001U
#define ACL_DUMP_MAX_SHAPE_NUM 25

typedef enum acldumpType {
  AIC_ERR_BRIEF_DUMP = 1,
  AIC_ERR_NORM_DUMP = 2,
  AIC_ERR_DETAIL_DUMP = 3,
  DATA_DUMP = 4,
  OVERFLOW_DUMP = 5
} acldumpType;

typedef enum acldumpTensorType {
  ACL_DUMP_TENSOR_INPUT = 0,
  ACL_DUMP_TENSOR_OUTPUT = 1,
  ACL_DUMP_TENSOR_WORKSPACE = 2
} acldumpTensorType;

typedef enum acldumpTensorAddressType {
  ACL_DUMP_ADDR_PTR = 0,
  ACL_DUMP_ADDR_PTR_PTR = 1,
  ACL_DUMP_ADDR_RAW = 2
} acldumpTensorAddressType;

typedef enum acldumpTensorPlacement {
  ACL_DUMP_PLACEMENT_DEVICE = 0,
  ACL_DUMP_PLACEMENT_HOST = 1,
  ACL_DUMP_PLACEMENT_END = 2
} acldumpTensorPlacement;

typedef struct acldumpChunk {
  char fileName[ACL_DUMP_MAX_FILE_PATH_LENGTH];
  uint32_t bufLen;
  uint32_t isLastChunk;
  int64_t offset;
  int32_t flag;
  uint8_t dataBuf[]; /* bufLen bytes */
} acldumpChunk;
typedef struct acldumpTensorInfo {
  const char* name;
  acldumpTensorType type;
  acldumpTensorAddressType addressType;
  acldumpTensorPlacement placement;
  aclDataType dataType;
  aclFormat format;
  uint32_t shapeNum;
  int64_t shape[ACL_DUMP_MAX_SHAPE_NUM];
  void* address;
  size_t size; /* bytes */
} acldumpTensorInfo;

/* Files go to `messageCallback`, chunk by chunk, instead of to the disk. */
ACL_FUNC_VISIBILITY aclError
acldumpRegCallback(int32_t (*const messageCallback)(const acldumpChunk*, int32_t), int32_t flag);
ACL_FUNC_VISIBILITY void acldumpUnregCallback(void);
/* Where files of this kind go; "" for nowhere. */
ACL_FUNC_VISIBILITY const char* acldumpGetPath(acldumpType dumpType);
/* `dumpType` is ACL_OP_DUMP_OP_AICORE_ARGS. */
ACL_FUNC_VISIBILITY aclError aclopStartDumpArgs(uint32_t dumpType, const char* path);
ACL_FUNC_VISIBILITY aclError aclopStopDumpArgs(uint32_t dumpType);

/* ---- Weak: programs may ask whether they are there. */

/* Writes `tensorCount` tensors to a file beside those of the exception. */
ACL_FUNC_VISIBILITY aclError acldumpSaveExceptionInfo(const char* fileName, const char* userTag,
                                                      const acldumpTensorInfo* tensors,
                                                      size_t tensorCount) __attribute__((weak));
/* At most `maxLen` bytes with the end. */
ACL_FUNC_VISIBILITY aclError acldumpGetExceptionInfoPath(char* path, size_t maxLen)
    __attribute__((weak));

#ifdef __cplusplus
}
#endif

#endif /* ACL_DUMP_H */
