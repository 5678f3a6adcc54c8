// shmem.h: reductions and scans, of teams and of active sets.
#include "shmem/api/active_set.h"
#include "shmem/api/announced.h"
#include "shmem/api/define.h"
#include "shmem/api/team_of.h"
#include "shmem/collectives/collectives.h"
#include "shmem/collectives/objects.h"
#include "shmem/world/world.h"

#include <type_traits>

using namespace canopy::shmem;

namespace calls {
namespace {

// Whole numbers wrap, also signed ones.
template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

struct And {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return a < b ? b : a;
  }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    return b < a ? b : a;
  }
};
struct Sum {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};
struct Prod {
  template <class T>
  static T of(T a, T b) {
    // Through 64 bits: two unsigned shorts would be multiplied as ints, and overflow.
    using Wide = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b));
  }
};

template <class T, class Op>
void combine(void* accumulator, const void* in, size_t nelems) {
  T* __restrict__ a = static_cast<T*>(accumulator);
  const T* __restrict__ b = static_cast<const T*>(in);
  for (size_t i = 0; i < nelems; ++i) {
    a[i] = Op::of(a[i], b[i]);
  }
}
template <class T, class Op>
constexpr Operation kOperation{sizeof(T), &combine<T, Op>};

size_t count_of(const Team& team, int nreduce, const char* routine) {
  if (nreduce < 0) {
    World& world = team.world();
    world.fail_job(kMisuseStatus, fmt::format("pe {}: {}: nreduce {} is below 0", world.my_pe(), routine, nreduce));
  }
  return static_cast<size_t>(nreduce);
}

// For the debug mode: both objects have all elements, and may be one.
[[gnu::cold, gnu::noinline]] void announce_reduction(Team& team, void* dest, const void* source, size_t element, size_t nelems,
                                                     const char* routine) {
  const size_t bytes = saturated(nelems, element);
  announce(team, {.routine = routine,
                  .element_bytes = element,
                  .nelems = nelems,
                  .dest = dest,
                  .dest_bytes = bytes,
                  .source = source,
                  .source_bytes = bytes,
                  .in_place = true});
}

inline Team& announced(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_reduction(team, dest, source, element, nelems, routine);
  }
  return team;
}

#define REDUCE(NAME, OP)                                                                                    \
  template <class T>                                                                                        \
  int NAME##_reduce(shmem_team_t team, T* dest, const T* source, size_t nelems, const char* routine) {      \
    reduce(announced(team_of(team, routine), dest, source, sizeof(T), nelems, routine), dest, source, nelems, \
           kOperation<T, OP>, routine);                                                                     \
    return 0;                                                                                               \
  }                                                                                                         \
  template <class T>                                                                                        \
  void NAME##_to_all(T* dest, const T* source, int nreduce, SHMEMX_ASET_PARAMETERS, T*, long* pSync,        \
                     const char* routine) {                                                                 \
    Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);                                       \
    const size_t nelems = count_of(team, nreduce, routine);                                                 \
    reduce(announced(team, dest, source, sizeof(T), nelems, routine), dest, source, nelems, kOperation<T, OP>, routine); \
  }
REDUCE(and, And)
REDUCE(or, Or)
REDUCE(xor, Xor)
REDUCE(max, Max)
REDUCE(min, Min)
REDUCE(sum, Sum)
REDUCE(prod, Prod)
#undef REDUCE

template <class T>
int sum_inscan(shmem_team_t team, T* dest, const T* source, size_t nelems, const char* routine) {
  scan(announced(team_of(team, routine), dest, source, sizeof(T), nelems, routine), dest, source, nelems, kOperation<T, Sum>, Scan::inclusive, routine);
  return 0;
}
template <class T>
int sum_exscan(shmem_team_t team, T* dest, const T* source, size_t nelems, const char* routine) {
  scan(announced(team_of(team, routine), dest, source, sizeof(T), nelems, routine), dest, source, nelems, kOperation<T, Sum>, Scan::exclusive, routine);
  return 0;
}

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_BIT_REDUCE_TYPES(SHMEMX_BIT_REDUCE_OF_TYPE, CANOPY_DEFINE)
SHMEMX_RMA_TYPES(SHMEMX_ORDER_REDUCE_OF_TYPE, CANOPY_DEFINE)
SHMEMX_RMA_TYPES(SHMEMX_SUM_REDUCE_OF_TYPE, CANOPY_DEFINE)
SHMEMX_COMPLEX_TYPES(SHMEMX_SUM_REDUCE_OF_TYPE, CANOPY_DEFINE)
SHMEMX_TO_ALL_TYPES(SHMEMX_BIT_TO_ALL_OF_TYPE, CANOPY_DEFINE)
SHMEMX_TO_ALL_TYPES(SHMEMX_ORDER_TO_ALL_OF_TYPE, CANOPY_DEFINE)
SHMEMX_TO_ALL_FLOAT_TYPES(SHMEMX_ORDER_TO_ALL_OF_TYPE, CANOPY_DEFINE)
SHMEMX_TO_ALL_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, CANOPY_DEFINE)
SHMEMX_TO_ALL_FLOAT_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, CANOPY_DEFINE)
SHMEMX_COMPLEX_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, CANOPY_DEFINE)
}  // extern "C"
