// A program that hangs: two blocks wait for each other in different ways, and streams for an event,
// a notify and a value. When all of them have begun to wait it aborts, for gdb_test.cmake to look
// at it.
#include "acl/acl.h"
#include "canopy/kernel.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int word_is_five(void* word) { return *static_cast<volatile int32_t*>(word) >= 5 ? 1 : 0; }

[[gnu::noinline]] void wait_for_the_other(int32_t* word) {
  const canopy_awaited_word awaited = {word, 5, sizeof *word, CANOPY_WORD_AT_LEAST, 1};
  canopy_wait_for_word(&word_is_five, word, "the other block", &awaited);
  *word = 0;  // not a tail call
}

}  // namespace

__global__ __aicore__ void forgetful(int32_t* word) {
  if (GetBlockIdx() == 0) {
    wait_for_the_other(word);
  } else {
    SyncAll();
    ++*word;
  }
}
CANOPY_KERNEL(forgetful)

namespace {

void check(aclError code) {
  if (code != ACL_SUCCESS) {
    std::fprintf(stderr, "code %d: %s\n", code, aclGetRecentErrMsg());
    std::exit(1);
  }
}

aclrtStream stream() {
  aclrtStream made = nullptr;
  check(aclrtCreateStream(&made));
  return made;
}

// Says what waits.
bool all_wait(aclrtStream any) {
  while (aclGetRecentErrMsg() != nullptr) {
  }
  if (aclrtSynchronizeStreamWithTimeout(any, 1) != ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
    std::exit(1);
  }
  const char* text = aclGetRecentErrMsg();
  return std::strstr(text, "block 0 of 2: waits") != nullptr &&
         std::strstr(text, "block 1 of 2: waits") != nullptr &&
         std::strstr(text, "waits for the record") != nullptr &&
         std::strstr(text, "waits for notify") != nullptr &&
         std::strstr(text, "without a bit outside of") != nullptr;
}

}  // namespace

int main() {
  check(aclInit(nullptr));
  check(aclrtSetDevice(0));
  void* memory = nullptr;
  check(aclrtMalloc(&memory, 128, ACL_MEM_MALLOC_HUGE_FIRST));
  check(aclrtMemset(memory, 128, 0, 128));
  auto* bytes = static_cast<char*>(memory);
  std::memset(bytes, 0xFF, 4);  // -1
  std::memset(bytes + 64, 0xFF, 8);
  check(canopy::launch(forgetful, 2, stream(), reinterpret_cast<int32_t*>(memory)));
  aclrtEvent event = nullptr;
  check(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
  check(aclrtStreamWaitEvent(stream(), event));
  check(aclrtStreamWaitEventWithTimeout(stream(), event, 900));
  aclrtNotify notify = nullptr;
  check(aclrtCreateNotify(&notify, 0));
  check(aclrtWaitAndResetNotify(notify, stream(), 0));
  const aclrtStream last = stream();
  check(aclrtValueWait(bytes + 64, 0x2A, ACL_STREAM_WAIT_VALUE_NOR, last));
  while (!all_wait(last)) {
  }
  std::abort();
}
