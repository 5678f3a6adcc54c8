/* The type tables of the OpenSHMEM specification, as lists: X(NAME, TYPE, ...) once per name. The
 * headers declare and the library defines every typed routine through these, so that each exists
 * once. SHMEMX_C_* are the same tables with each distinct C type once, for _Generic (LP64). */
#ifndef CANOPY_SHMEM_TYPES_H
#define CANOPY_SHMEM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define SHMEMX_C_RMA_TYPES(X, ...)        \
  X(float, float, __VA_ARGS__)            \
  X(double, double, __VA_ARGS__)          \
  X(longdouble, long double, __VA_ARGS__) \
  X(char, char, __VA_ARGS__)              \
  X(schar, signed char, __VA_ARGS__)      \
  X(short, short, __VA_ARGS__)            \
  X(int, int, __VA_ARGS__)                \
  X(long, long, __VA_ARGS__)              \
  X(longlong, long long, __VA_ARGS__)     \
  X(uchar, unsigned char, __VA_ARGS__)    \
  X(ushort, unsigned short, __VA_ARGS__)  \
  X(uint, unsigned int, __VA_ARGS__)      \
  X(ulong, unsigned long, __VA_ARGS__)    \
  X(ulonglong, unsigned long long, __VA_ARGS__)

/* Standard RMA types: 24 names. */
#define SHMEMX_RMA_TYPES(X, ...)     \
  SHMEMX_C_RMA_TYPES(X, __VA_ARGS__) \
  X(int8, int8_t, __VA_ARGS__)       \
  X(int16, int16_t, __VA_ARGS__)     \
  X(int32, int32_t, __VA_ARGS__)     \
  X(int64, int64_t, __VA_ARGS__)     \
  X(uint8, uint8_t, __VA_ARGS__)     \
  X(uint16, uint16_t, __VA_ARGS__)   \
  X(uint32, uint32_t, __VA_ARGS__)   \
  X(uint64, uint64_t, __VA_ARGS__)   \
  X(size, size_t, __VA_ARGS__)       \
  X(ptrdiff, ptrdiff_t, __VA_ARGS__)

/* Fixed sizes: X(BITS, BYTES). */
#define SHMEMX_SIZES(X, ...) \
  X(8, 1, __VA_ARGS__)       \
  X(16, 2, __VA_ARGS__) X(32, 4, __VA_ARGS__) X(64, 8, __VA_ARGS__) X(128, 16, __VA_ARGS__)

#define SHMEMX_C_AMO_TYPES(X, ...)     \
  X(int, int, __VA_ARGS__)             \
  X(long, long, __VA_ARGS__)           \
  X(longlong, long long, __VA_ARGS__)  \
  X(uint, unsigned int, __VA_ARGS__)   \
  X(ulong, unsigned long, __VA_ARGS__) \
  X(ulonglong, unsigned long long, __VA_ARGS__)

/* Standard AMO types: 12 names; also the types of wait and test. */
#define SHMEMX_AMO_TYPES(X, ...)     \
  SHMEMX_C_AMO_TYPES(X, __VA_ARGS__) \
  X(int32, int32_t, __VA_ARGS__)     \
  X(int64, int64_t, __VA_ARGS__)     \
  X(uint32, uint32_t, __VA_ARGS__)   \
  X(uint64, uint64_t, __VA_ARGS__)   \
  X(size, size_t, __VA_ARGS__)       \
  X(ptrdiff, ptrdiff_t, __VA_ARGS__)

/* What the extended AMO types (fetch, set, swap) have beyond the standard ones. */
#define SHMEMX_AMO_FLOAT_TYPES(X, ...) X(float, float, __VA_ARGS__) X(double, double, __VA_ARGS__)

#define SHMEMX_C_BIT_TYPES(X, ...)              \
  X(uint, unsigned int, __VA_ARGS__)            \
  X(ulong, unsigned long, __VA_ARGS__)          \
  X(ulonglong, unsigned long long, __VA_ARGS__) \
  X(int32, int32_t, __VA_ARGS__)                \
  X(int64, int64_t, __VA_ARGS__)

/* Bitwise AMO types: 7 names. */
#define SHMEMX_BIT_TYPES(X, ...)     \
  SHMEMX_C_BIT_TYPES(X, __VA_ARGS__) \
  X(uint32, uint32_t, __VA_ARGS__)   \
  X(uint64, uint64_t, __VA_ARGS__)

/* Types that the scalar wait_until and test have beyond the standard AMO types (deprecated in 1.5).
 */
#define SHMEMX_SHORT_TYPES(X, ...) \
  X(short, short, __VA_ARGS__)     \
  X(ushort, unsigned short, __VA_ARGS__)

/* The deprecated names of AMOs (1.4) know fewer: five for fetch, set and swap, three for the others. */
#define SHMEMX_OLD_AMO_TYPES(X, ...) \
  X(int, int, __VA_ARGS__)           \
  X(long, long, __VA_ARGS__)         \
  X(longlong, long long, __VA_ARGS__)

/* The deprecated shmem_<TYPENAME>_wait. */
#define SHMEMX_OLD_WAIT_TYPES(X, ...) \
  X(short, short, __VA_ARGS__)        \
  SHMEMX_OLD_AMO_TYPES(X, __VA_ARGS__)

/* Team reductions: AND, OR and XOR take these 14; MAX and MIN all RMA types; SUM, PROD and the scans those and the
 * complex ones. C++ has no complex types of C, but compilers that know them have this keyword. */
#define SHMEMX_C_BIT_REDUCE_TYPES(X, ...)       \
  X(uchar, unsigned char, __VA_ARGS__)          \
  X(ushort, unsigned short, __VA_ARGS__)        \
  X(uint, unsigned int, __VA_ARGS__)            \
  X(ulong, unsigned long, __VA_ARGS__)          \
  X(ulonglong, unsigned long long, __VA_ARGS__) \
  X(int8, int8_t, __VA_ARGS__)                  \
  X(int16, int16_t, __VA_ARGS__)                \
  X(int32, int32_t, __VA_ARGS__)                \
  X(int64, int64_t, __VA_ARGS__)
#define SHMEMX_BIT_REDUCE_TYPES(X, ...)     \
  SHMEMX_C_BIT_REDUCE_TYPES(X, __VA_ARGS__) \
  X(uint8, uint8_t, __VA_ARGS__)            \
  X(uint16, uint16_t, __VA_ARGS__)          \
  X(uint32, uint32_t, __VA_ARGS__)          \
  X(uint64, uint64_t, __VA_ARGS__)          \
  X(size, size_t, __VA_ARGS__)
#if defined(__STDC_NO_COMPLEX__) || (!defined(__GNUC__) && !defined(__STDC_VERSION__))
#define SHMEMX_COMPLEX_TYPES(X, ...)
#elif defined(__GNUC__)
#define SHMEMX_COMPLEX_TYPES(X, ...)           \
  X(complexd, double __complex__, __VA_ARGS__) \
  X(complexf, float __complex__, __VA_ARGS__)
#else
#define SHMEMX_COMPLEX_TYPES(X, ...)        \
  X(complexd, double _Complex, __VA_ARGS__) \
  X(complexf, float _Complex, __VA_ARGS__)
#endif

/* Active-set reductions (deprecated in 1.5): AND, OR and XOR; MAX and MIN have the floating types, too; SUM and
 * PROD also the complex ones. */
#define SHMEMX_TO_ALL_TYPES(X, ...) \
  X(short, short, __VA_ARGS__)      \
  X(int, int, __VA_ARGS__)          \
  X(long, long, __VA_ARGS__)        \
  X(longlong, long long, __VA_ARGS__)
#define SHMEMX_TO_ALL_FLOAT_TYPES(X, ...) \
  X(float, float, __VA_ARGS__)            \
  X(double, double, __VA_ARGS__)          \
  X(longdouble, long double, __VA_ARGS__)

#endif /* CANOPY_SHMEM_TYPES_H */
