/* OpenSHMEM for C and C++ (specification 1.6). Conventions:
 *
 * - A symmetric address is this PE's own address of the object; routines translate it.
 * - Objects allocated by the routines below are symmetric; so are globals and statics of an executable that
 * oshcc or oshc++ links, if all PEs run the same one. Those of shared libraries, thread_local and constant
 * ones are not.
 * - Misuse that is detected (an address that is not symmetric, a PE that does not exist, a context that
 * was destroyed, PEs that ask for different sizes) prints one sentence and ends the job.
 * - Any thread may call; collective routines one thread of a PE at a time.
 *
 * Routines are declared by lists (canopy/shmem_routines.h): each row there is a routine, its parameters as
 * they stand. C11 gets the specification's generic names, C++ the same as overloads. */
#ifndef SHMEM_H
#define SHMEM_H

#include <stddef.h>
#include <stdint.h>

#include "canopy/shmem_constants.h"
#include "canopy/shmem_routines.h"

#if defined(__cplusplus)
#define SHMEMX_NORETURN [[noreturn]]
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SHMEMX_NORETURN _Noreturn
#else
#define SHMEMX_NORETURN
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A context: operations with an order and a quiet of their own. Handles are compared with == only. */
typedef struct shmemx_ctx* shmem_ctx_t;
#define SHMEM_CTX_INVALID ((shmem_ctx_t)0)
#define SHMEM_CTX_DEFAULT ((shmem_ctx_t)1)

/* A team: PEs with numbers of their own that communicate collectively. As contexts, with ==. */
typedef struct shmemx_team* shmem_team_t;
#define SHMEM_TEAM_INVALID ((shmem_team_t)0)
#define SHMEM_TEAM_WORLD ((shmem_team_t)1)
#define SHMEM_TEAM_SHARED ((shmem_team_t)2)

/* How many contexts the team is going to have (SHMEM_TEAM_NUM_CONTEXTS): a hint, there may be more. */
typedef struct {
  int num_contexts;
} shmem_team_config_t;

/* Hints for a session: about how many operations it will have (SHMEM_CTX_SESSION_TOTAL_OPS). */
typedef struct {
  size_t total_ops;
} shmem_ctx_session_config_t;

/* Setup, exit, query. init and finalize are collective and counted: the last finalize leaves the
 * job. */
SHMEMX_SETUP_ROUTINES(SHMEMX_DECLARE)

/* Memory: collective, with equal arguments on all PEs. NULL when the heap is full. */
SHMEMX_MEMORY_ROUTINES(SHMEMX_DECLARE)

/* Contexts and sessions. Local; creation returns nonzero when there is no context to be had. */
SHMEMX_CONTEXT_ROUTINES(SHMEMX_DECLARE)

/* Teams. Splits and destroys are collective over the parent and over the team; a split is made by all or, with
 * nonzero on each of them, by none. At most 1,024 teams per PE live at a time. */
SHMEMX_TEAM_ROUTINES(SHMEMX_DECLARE)

/* RMA. On return a put's source is reusable, a get's data is there; nbi forms promise that at
 * quiet. Strides count elements, of ibput and ibget between the starts of blocks. */
SHMEMX_PUT_GET_ROUTINES(SHMEMX_DECLARE_CTX)
SHMEMX_SCALAR_ROUTINES(SHMEMX_DECLARE_CTX)
SHMEMX_STRIDED_ROUTINES(SHMEMX_DECLARE_CTX)

/* Signals. A wait returns the value that satisfied it; the data that it announces is then visible.
 */
SHMEMX_PUT_SIGNAL_ROUTINES(SHMEMX_DECLARE_CTX)
SHMEMX_SIGNAL_ROUTINES(SHMEMX_DECLARE_CTX)
SHMEMX_SIGNAL_WAIT_ROUTINES(SHMEMX_DECLARE)

/* Atomics: complete at the target on return; the nbi forms at quiet. */
SHMEMX_AMO_ROUTINES(SHMEMX_DECLARE_CTX)
SHMEMX_AMO_NBI_ROUTINES(SHMEMX_DECLARE_CTX)

/* Waiting for words of this PE that others change. An element whose status is not 0 takes no part;
 * status may be NULL. */
SHMEMX_WAIT_ROUTINES(SHMEMX_DECLARE)

/* Order and meeting. */
SHMEMX_ORDER_ROUTINES(SHMEMX_DECLARE)
SHMEMX_MEETING_ROUTINES(SHMEMX_DECLARE)

/* Collectives of teams. On return this PE's dest is complete and its source may be used again; others may still
 * be inside. 0: done. dest and source are symmetric; only reductions and scans may have them equal. Results of
 * reductions have the same bits on all members. */
SHMEMX_COLLECTIVE_ROUTINES(SHMEMX_DECLARE)

/* Collectives of active sets, deprecated. pSync is symmetric and holds SHMEM_SYNC_VALUE; pWrk may be NULL. */
SHMEMX_ASET_ROUTINES(SHMEMX_DECLARE)

/* Locks: symmetric longs that are 0 at first. First come, first served; test returns 0 when it has taken
 * the lock. */
SHMEMX_LOCK_ROUTINES(SHMEMX_DECLARE)

/* For profilers; does nothing here. */
void shmem_pcontrol(int level, ...);

/* Deprecated names. */
SHMEMX_OLD_AMO_ROUTINES(SHMEMX_DECLARE)
#define SHMEMX_DECLARE_WHOLE(RESULT, NAME, PARAMETERS, ARGUMENTS) RESULT NAME PARAMETERS;
SHMEMX_UNPREFIXED_ROUTINES(SHMEMX_DECLARE_WHOLE)
#undef SHMEMX_DECLARE_WHOLE

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus)
#include "canopy/shmem_overloads.h"
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include "canopy/shmem_generic.h"
#endif

#ifdef __cplusplus
#include "aclshmem.h"
#endif

#endif /* SHMEM_H */
