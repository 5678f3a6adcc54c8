// CHECK(condition, "what to do instead"): a broken invariant ends the process with one sentence.
// DCHECK is the same in debug-check builds (CANOPY_DEBUG_CHECKS) and nothing elsewhere.
#pragma once

namespace canopy {
[[noreturn]] void check_failed(const char* condition, const char* advice, const char* file, int line);
}  // namespace canopy

#define CHECK(condition, advice)                                              \
  do {                                                                        \
    if (!(condition)) [[unlikely]] {                                          \
      ::canopy::check_failed(#condition, advice, __FILE__, __LINE__);         \
    }                                                                         \
  } while (0)

#ifdef CANOPY_DEBUG_CHECKS
#define DCHECK(condition, advice) CHECK(condition, advice)
#else
#define DCHECK(condition, advice) \
  do {                            \
  } while (0)
#endif
