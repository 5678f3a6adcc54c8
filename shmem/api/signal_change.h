// The public sig_op and cmp constants, which both APIs share, as our enums.
#pragma once

#include "shmem.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"

namespace canopy::shmem {

inline SignalChange change_of(int sig_op, const char* routine) {
  if (sig_op == SHMEM_SIGNAL_SET) {
    return SignalChange::set;
  }
  if (sig_op != SHMEM_SIGNAL_ADD) [[unlikely]] {
    bad_signal_change(sig_op, routine);
  }
  return SignalChange::add;
}

// Inlined always: the compiler would rather have one, and waits and tests a call more.
[[gnu::always_inline]] inline Compare compare_of(int cmp, const char* routine) {
  constexpr Compare kByConstant[] = {Compare::eq, Compare::ne, Compare::gt,
                                     Compare::ge, Compare::lt, Compare::le};
  static_assert(SHMEM_CMP_EQ == 0 && SHMEM_CMP_NE == 1 && SHMEM_CMP_GT == 2 && SHMEM_CMP_GE == 3 &&
                SHMEM_CMP_LT == 4 && SHMEM_CMP_LE == 5);
  if (static_cast<unsigned>(cmp) > SHMEM_CMP_LE) [[unlikely]] {
    bad_compare(cmp, routine);
  }
  return kByConstant[cmp];
}

}  // namespace canopy::shmem
