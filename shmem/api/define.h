// CANOPY_DEFINE and CANOPY_DEFINE_CTX make the public functions of a row of
// canopy/shmem_routines.h: the body is calls::OPERATION<ELEMENT>(hot, arguments..., name). The code
// is the pshmem_ name's; the shmem_ name is a weak alias of it, which a program may replace and
// still call what it replaced.
//
// CANOPY_ALIAS makes the second name of a routine whose pshmem_ function was written by hand.
#pragma once

#include "pshmem.h"
#include "shmem/context/context_slots.h"

// In C++ a weak alias is a declaration of its own.
#define CANOPY_ALIAS_OF(NEW, OLD) extern "C" __typeof__(OLD) NEW __attribute__((weak, alias(#OLD)));
#define CANOPY_ALIAS(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  CANOPY_ALIAS_OF(shmem_##TAIL, pshmem_##TAIL)

#define CANOPY_DEFINE_CTX(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS)            \
  RESULT pshmem_##TAIL PARAMETERS {                                                           \
    return calls::OPERATION<ELEMENT>(current_hot(), SHMEMX_LIST ARGUMENTS, "shmem_" #TAIL);   \
  }                                                                                           \
  CANOPY_ALIAS_OF(shmem_##TAIL, pshmem_##TAIL)                                                \
  RESULT pshmem_ctx_##TAIL(shmem_ctx_t ctx, SHMEMX_LIST PARAMETERS) {                         \
    return calls::OPERATION<ELEMENT>(hot_of(ctx), SHMEMX_LIST ARGUMENTS, "shmem_ctx_" #TAIL); \
  }                                                                                           \
  CANOPY_ALIAS_OF(shmem_ctx_##TAIL, pshmem_ctx_##TAIL)

// Without a context, and so without a Hot.
#define CANOPY_DEFINE(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT pshmem_##TAIL PARAMETERS {                                            \
    return calls::OPERATION<ELEMENT>(SHMEMX_LIST ARGUMENTS, "shmem_" #TAIL);   \
  }                                                                            \
  CANOPY_ALIAS_OF(shmem_##TAIL, pshmem_##TAIL)
