#include "runtime/device/guarded_access.h"

#include "runtime/base/cache_line.h"

// What the two functions below are made of: a load, a store, what becomes of the value, and a return. Plain moves are
// acquire and release on x86; the compiler cannot move anything past a call that it does not know.
#if defined(__x86_64__)
#define CANOPY_FUNCTION "@function"
#define CANOPY_LOAD "movq (%rdi), %rax"
#define CANOPY_PASS_ON "movq %rax, (%rsi)"
#define CANOPY_STORE "movq %rsi, (%rdi)"
#define CANOPY_RETURN_1 "movl $1, %eax\n ret"
#define CANOPY_RETURN_0 "xorl %eax, %eax\n ret"
#elif defined(__aarch64__)
#define CANOPY_FUNCTION "%function"
#define CANOPY_LOAD "ldar x2, [x0]"
#define CANOPY_PASS_ON "str x2, [x1]"
#define CANOPY_STORE "stlr x1, [x0]"
#define CANOPY_RETURN_1 "mov w0, #1\n ret"
#define CANOPY_RETURN_0 "mov w0, #0\n ret"
#else
#error "write the two accesses for this architecture here"
#endif

// Each is a function of one access, with an end for the case that it faults.
__asm__(R"(
  .text
  .globl canopy_guarded_load, canopy_guarded_store, canopy_guarded_load_at, canopy_guarded_store_at, canopy_guarded_exit
  .hidden canopy_guarded_load, canopy_guarded_store, canopy_guarded_load_at, canopy_guarded_store_at, canopy_guarded_exit
  .type canopy_guarded_load, )" CANOPY_FUNCTION R"(
  .type canopy_guarded_store, )" CANOPY_FUNCTION R"(
canopy_guarded_load:
  .cfi_startproc
canopy_guarded_load_at:
  )" CANOPY_LOAD R"(
  )" CANOPY_PASS_ON R"(
  )" CANOPY_RETURN_1 R"(
canopy_guarded_exit:
  )" CANOPY_RETURN_0 R"(
  .cfi_endproc
  .size canopy_guarded_load, .-canopy_guarded_load
canopy_guarded_store:
  .cfi_startproc
canopy_guarded_store_at:
  )" CANOPY_STORE R"(
  )" CANOPY_RETURN_1 R"(
  .cfi_endproc
  .size canopy_guarded_store, .-canopy_guarded_store
)");

extern "C" {
int canopy_guarded_load(const uint64_t* address, uint64_t* value);
int canopy_guarded_store(uint64_t* address, uint64_t value);
extern const char canopy_guarded_load_at[];
extern const char canopy_guarded_store_at[];
extern const char canopy_guarded_exit[];
}

namespace canopy {

// ThreadSanitizer sees no order in what it does not know: there the word is taken as it is.
bool load_if_there(const uint64_t* address, uint64_t* value) {
#if defined(__SANITIZE_THREAD__)
  *value = load_acquire(address);
  return true;
#else
  return canopy_guarded_load(address, value) != 0;
#endif
}

bool store_if_there(uint64_t* address, uint64_t value) {
#if defined(__SANITIZE_THREAD__)
  store_release(address, value);
  return true;
#else
  return canopy_guarded_store(address, value) != 0;
#endif
}

uintptr_t guarded_access_exit(uintptr_t pc) {
  const bool is_one = pc == reinterpret_cast<uintptr_t>(canopy_guarded_load_at) ||
                      pc == reinterpret_cast<uintptr_t>(canopy_guarded_store_at);
  return is_one ? reinterpret_cast<uintptr_t>(canopy_guarded_exit) : 0;
}

}  // namespace canopy
