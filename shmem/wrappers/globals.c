/* Linked into executables by oshcc: moves their globals and statics onto symmetric memory before
 * any constructor runs (shmem/world/globals.h). */
#include <shmemx.h>

__attribute__((section(".preinit_array"), used)) static void (*const move_globals)(void) =
    shmemx_symmetric_globals;
