/* What the chapters of the conformance program share. A chapter is a function that all PEs run;
 * most PEs work on their right neighbour and check what came from the left one. Clauses (§) are
 * those of OpenSHMEM 1.6. */
#ifndef CANOPY_CONFORMANCE_H
#define CANOPY_CONFORMANCE_H

#include <pshmem.h>
#include <shmem.h>
#include <shmemx.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

extern int me, n, right, left;

/* Symmetric: memory for a chapter's work, and signals. */
enum { kBlockBytes = 32 * 1024, kSignals = 8 };
extern char* block;
extern uint64_t* signals;
/* A context of the whole world. */
extern shmem_ctx_t context;

void check(const char* file, int line, const char* what, int holds);
#define CHECK(what, condition) check(__FILE__, __LINE__, what, (condition) ? 1 : 0)

/* All PEs have come, block and signals are zero on all, and nobody writes into them yet. */
void fresh(void);
/* Everything on both contexts is complete, and all PEs have come. */
void complete(void);

/* coverage.c: which rows of the table were never called; returns how many, and prints them. */
int never_called(void);
extern const int rows_in_table;

void chapter_setup(void);
void chapter_threads(void);
void chapter_memory(void);
void chapter_contexts(void);
void chapter_put_get(void);
void chapter_scalars(void);
void chapter_strided(void);
void chapter_atomics(void);
void chapter_atomics_nbi(void);
void chapter_signals(void);
void chapter_waits(void);
void chapter_wait_sets(void);
void chapter_teams(void);
void chapter_collectives(void);
void chapter_order(void);
void chapter_locks(void);
void chapter_deprecated(void);
void chapter_generics(void);
void chapter_overloads(void);

/* Arguments without and with a context: shmem_##CTX##int_put ARGS(...) */
#define NO_CTX(...) (__VA_ARGS__)
#define IN_CTX(...) (context, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif /* CANOPY_CONFORMANCE_H */
