/* Init and finalize, versions, process-wide parameters. Compiles as C11 and C++. */
#ifndef ACL_RT_GLOBAL_H
#define ACL_RT_GLOBAL_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ACL_MAJOR_VERSION 1
#define ACL_MINOR_VERSION 17
#define ACL_PATCH_VERSION 0
#define ACL_PKG_VERSION_MAX_SIZE 128
#define ACL_PKG_VERSION_PARTS_MAX_SIZE 64

typedef enum aclrtRunMode { ACL_DEVICE = 0, ACL_HOST = 1 } aclrtRunMode;

typedef enum aclCANNPackageName {
  ACL_PKG_NAME_CANN = 0,
  ACL_PKG_NAME_RUNTIME = 1,
  ACL_PKG_NAME_COMPILER = 2,
  ACL_PKG_NAME_HCCL = 3,
  ACL_PKG_NAME_TOOLKIT = 4,
  ACL_PKG_NAME_OPP = 5,
  ACL_PKG_NAME_OPP_KERNEL = 6,
  ACL_PKG_NAME_DRIVER = 7
} aclCANNPackageName;

typedef enum aclRegisterCallbackType {
  ACL_REG_TYPE_ACL_MODEL = 0,
  ACL_REG_TYPE_ACL_OP_EXECUTOR = 1,
  ACL_REG_TYPE_ACL_OP_CBLAS = 2,
  ACL_REG_TYPE_ACL_OP_COMPILER = 3,
  ACL_REG_TYPE_ACL_TDT_CHANNEL = 4,
  ACL_REG_TYPE_ACL_TDT_QUEUE = 5,
  ACL_REG_TYPE_ACL_DVPP = 6,
  ACL_REG_TYPE_ACL_RETR = 7,
  ACL_REG_TYPE_OTHER = 0xFFFF
} aclRegisterCallbackType;

typedef struct aclCANNPackageVersion {
  char version[ACL_PKG_VERSION_MAX_SIZE]; /* as text; the parts follow */
  char majorVersion[ACL_PKG_VERSION_PARTS_MAX_SIZE];
  char minorVersion[ACL_PKG_VERSION_PARTS_MAX_SIZE];
  char releaseVersion[ACL_PKG_VERSION_PARTS_MAX_SIZE];
  char patchVersion[ACL_PKG_VERSION_PARTS_MAX_SIZE];
  char reserved[ACL_PKG_VERSION_MAX_SIZE];
} aclCANNPackageVersion;

/* Gets the text of the configuration file ("" without one) and its length in bytes. */
typedef aclError (*aclInitCallbackFunc)(const char* configBuf, size_t bufSize, void* userData);
typedef aclError (*aclFinalizeCallbackFunc)(void* userData);

/* Initialises the runtime. `configPath` is NULL or a JSON file; nesting is limited to 10. The
 * second and later calls return 100002, and still count for aclFinalizeReference. Errors: 100000
 * the file cannot be read or differs from the first call's, 100006 it is not JSON, or a value is none of its key. */
ACL_FUNC_VISIBILITY aclError aclInit(const char* configPath);
/* Tears everything down whatever the count; 100037 when there is nothing to finalize. */
ACL_FUNC_VISIBILITY aclError aclFinalize(void);
/* Counts down and tears down at zero; writes the remaining count (`refCount` may be NULL);
 * 100037. */
ACL_FUNC_VISIBILITY aclError aclFinalizeReference(uint64_t* refCount);
/* `cbFunc` runs at the end of every aclInit that brings the runtime up, and at once when it is up;
 * it may call anything. A code that is not 0 becomes that of the call, which is undone.
 * Registrations outlive finalize. Error: 107000 registered already under this type. */
ACL_FUNC_VISIBILITY aclError aclInitCallbackRegister(aclRegisterCallbackType type,
                                                     aclInitCallbackFunc cbFunc, void* userData);
/* Error: 107000 not registered under this type. */
ACL_FUNC_VISIBILITY aclError aclInitCallbackUnRegister(aclRegisterCallbackType type,
                                                       aclInitCallbackFunc cbFunc);
/* `cbFunc` runs when the last reference goes, before anything is torn down; the newest registration
 * first. A code that is not 0 becomes that of the call, which goes on all the same. It may call anything; what it
 * initialises once more is torn down with the rest. */
ACL_FUNC_VISIBILITY aclError aclFinalizeCallbackRegister(aclRegisterCallbackType type,
                                                         aclFinalizeCallbackFunc cbFunc,
                                                         void* userData);
ACL_FUNC_VISIBILITY aclError aclFinalizeCallbackUnRegister(aclRegisterCallbackType type,
                                                           aclFinalizeCallbackFunc cbFunc);
/* ACL_HOST: the program runs on the host's CPU. */
ACL_FUNC_VISIBILITY aclError aclrtGetRunMode(aclrtRunMode* runMode);
/* The SoC name of the thread's device (of device 0 without one); a static string, NULL if
 * unknown. */
ACL_FUNC_VISIBILITY const char* aclrtGetSocName(void);
/* Writes 1 when a binary made for `socVersion` runs on this machine's devices, else 0. */
ACL_FUNC_VISIBILITY aclError aclrtCheckArchCompatibility(const char* socVersion,
                                                         int32_t* canCompatible);
/* The version of a package ("cann", "runtime", "driver") as text; `versionStr` holds at least 128
 * bytes. Error: 107000 no such package here. */
ACL_FUNC_VISIBILITY aclError aclsysGetVersionStr(char* pkgName, char* versionStr);
/* The same as a number that grows with the version: major, minor and patch in two digits each, then
 * three for alpha n (n), beta n (200 + n), rc n (400 + n) or a release (900). */
ACL_FUNC_VISIBILITY aclError aclsysGetVersionNum(char* pkgName, int32_t* versionNum);
/* Deprecated form of aclsysGetVersionStr. */
ACL_FUNC_VISIBILITY aclError aclsysGetCANNVersion(aclCANNPackageName name,
                                                  aclCANNPackageVersion* version);
/* The version of this interface (ACL_MAJOR_VERSION...). Deprecated. */
ACL_FUNC_VISIBILITY aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion,
                                             int32_t* patchVersion);
/* Process-wide; the runtime keeps it for those who compile and run operators. */
ACL_FUNC_VISIBILITY aclError aclrtSetSysParamOpt(aclSysParamOpt opt, int64_t value);
/* 0 until it was set. */
ACL_FUNC_VISIBILITY aclError aclrtGetSysParamOpt(aclSysParamOpt opt, int64_t* value);
/* The attributes that are supported: a static array of `*num` entries. */
ACL_FUNC_VISIBILITY aclError aclGetCannAttributeList(const aclCannAttr** cannAttrList, size_t* num);
/* Writes 1 when the attribute is supported, else 0. */
ACL_FUNC_VISIBILITY aclError aclGetCannAttribute(aclCannAttr cannAttr, int32_t* value);
/* `value` in cores, or bytes for ACL_DEVICE_INFO_L2_SIZE. Error: 107001. */
ACL_FUNC_VISIBILITY aclError aclGetDeviceCapability(uint32_t deviceId, aclDeviceInfo deviceInfo,
                                                    int64_t* value);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_GLOBAL_H */
