/* A program of somebody else, in C: memory of a device, there and back. */
#include <acl/acl.h>
#include <stdio.h>
#include <string.h>

#define OK(call)                                             \
  do {                                                       \
    aclError code = (call);                                  \
    if (code != ACL_SUCCESS) {                               \
      const char* text = aclGetRecentErrMsg();               \
      printf("%s: %d %s\n", #call, code, text ? text : "?"); \
      return 1;                                              \
    }                                                        \
  } while (0)

int main(void) {
  const char sent[] = "there and back";
  char got[sizeof sent] = "";
  void* memory = NULL;
  OK(aclInit(NULL));
  OK(aclrtSetDevice(0));
  OK(aclrtMalloc(&memory, sizeof sent, ACL_MEM_MALLOC_HUGE_FIRST));
  OK(aclrtMemcpy(memory, sizeof sent, sent, sizeof sent, ACL_MEMCPY_HOST_TO_DEVICE));
  OK(aclrtMemcpy(got, sizeof got, memory, sizeof sent, ACL_MEMCPY_DEVICE_TO_HOST));
  OK(aclrtFree(memory));
  OK(aclFinalize());
  printf("%s\n", got);
  return strcmp(sent, got) != 0;
}
