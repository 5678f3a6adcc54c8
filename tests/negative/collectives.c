/* Collectives: order, sizes, roots, strides, buffers, teams. PE 1 makes the mistake. */
#include "negative.h"

static long* words(size_t n) { return shmem_calloc(n, sizeof(long)); }
static int mine(int wrong) { return wrong && shmem_my_pe() == 1; }

static void broadcast_beside_reduce(int wrong) {
  long* dest = words(4);
  long* source = words(4);
  if (mine(wrong)) {
    shmem_long_sum_reduce(SHMEM_TEAM_WORLD, dest, source, 4);
  } else {
    shmem_long_broadcast(SHMEM_TEAM_WORLD, dest, source, 4, 0);
  }
}

static void barrier_beside_fcollect(int wrong) {
  long* dest = words(16);
  long* source = words(4);
  if (mine(wrong)) {
    shmem_long_fcollect(SHMEM_TEAM_WORLD, dest, source, 4);
  } else {
    shmem_barrier_all();
  }
}

static void malloc_beside_barrier(int wrong) {
  if (mine(wrong)) {
    shmem_barrier_all();
  } else {
    shmem_malloc(64);
  }
}

static void sync_beside_split(int wrong) {
  shmem_team_t team;
  if (mine(wrong)) {
    shmem_team_sync(SHMEM_TEAM_WORLD);
  } else {
    shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, 1, NULL, 0, &team);
  }
}

/* In a team whose first member is not PE 0. */
static void order_in_team(int wrong) {
  shmem_team_t team;
  long* dest = words(4);
  long* source = words(4);
  shmem_team_split_strided(SHMEM_TEAM_WORLD, shmem_n_pes() - 1, -1, shmem_n_pes(), NULL, 0, &team);
  for (int i = 0; i < 3; ++i) shmem_team_sync(team);
  if (mine(wrong)) {
    shmem_long_max_reduce(team, dest, source, 4);
  } else {
    shmem_long_min_reduce(team, dest, source, 4);
  }
}

static void reduce_size(int wrong) {
  long* dest = words(8);
  long* source = words(8);
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, dest, source, mine(wrong) ? 5 : 4);
}

static void reduce_of_nothing(int wrong) {
  long* dest = words(8);
  long* source = words(8);
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, dest, source, mine(wrong) ? 0 : 4);
}

static void fcollect_size(int wrong) {
  long* dest = words(64);
  long* source = words(8);
  shmem_fcollectmem(SHMEM_TEAM_WORLD, dest, source, mine(wrong) ? 24 : 32);
}

/* collect's sizes are each PE's own. */
static void collect_beside_fcollect(int wrong) {
  long* dest = words(64);
  long* source = words(8);
  const size_t nelems = (size_t)shmem_my_pe() + 1;
  if (mine(wrong)) {
    shmem_long_fcollect(SHMEM_TEAM_WORLD, dest, source, nelems);
  } else {
    shmem_long_collect(SHMEM_TEAM_WORLD, dest, source, nelems);
  }
}

static void roots_differ(int wrong) {
  long* dest = words(4);
  long* source = words(4);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, dest, source, 4, mine(wrong) ? 1 : 0);
}

static void no_root(int wrong) {
  long* dest = words(1);
  long* source = words(1);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, dest, source, 1, wrong ? shmem_n_pes() : 0);
}

static void strides_differ(int wrong) {
  long* dest = words(64);
  long* source = words(64);
  shmem_long_alltoalls(SHMEM_TEAM_WORLD, dest, source, mine(wrong) ? 3 : 2, 1, 2);
}

static void no_stride(int wrong) {
  long* dest = words(64);
  long* source = words(64);
  shmem_long_alltoalls(SHMEM_TEAM_WORLD, dest, source, 1, wrong ? 0 : 1, 1);
}

static void objects_differ(int wrong) {
  long* a = words(8);
  long* b = words(8);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, mine(wrong) ? a + 1 : a, b, 4, 0);
}

static void active_sets(int wrong) {
  long* sync = words(SHMEM_BCAST_SYNC_SIZE);
  long* dest = words(8);
  long* source = words(8);
  const int n = shmem_n_pes();
  shmem_barrier(0, 0, n, sync);
  if (mine(wrong)) {
    shmem_fcollect64(dest, source, 1, 0, 0, n, sync);
  } else {
    shmem_broadcast64(dest, source, 1, 0, 0, 0, n, sync);
  }
}

/* The same members meet in two teams, in the other order. */
static void teams_crossed(int wrong) {
  shmem_team_t team;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, shmem_n_pes(), NULL, 0, &team);
  for (int i = 0; i < 3; ++i) shmem_team_sync(team);
  if (mine(wrong)) shmem_team_sync(team);
  shmem_barrier_all();
  if (!mine(wrong)) shmem_team_sync(team);
}

/* A team of two and an active set of all. */
static void set_beside_team(int wrong) {
  long* sync = words(SHMEM_BARRIER_SYNC_SIZE);
  const int n = shmem_n_pes();
  shmem_team_t pair = SHMEM_TEAM_INVALID;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, 2, NULL, 0, &pair);
  shmem_barrier(0, 0, n, sync);
  if (mine(wrong)) shmem_barrier(0, 0, n, sync);
  if (pair != SHMEM_TEAM_INVALID) shmem_team_sync(pair);
  if (!mine(wrong)) shmem_barrier(0, 0, n, sync);
}

/* PE 2 crosses with the first one, which waits for PE 1 as well. */
static void crossed_behind_another(int wrong) {
  shmem_team_t ends, rest;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 2, 2, NULL, 0, &ends);
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 1, 1, 2, NULL, 0, &rest);
  const int me = shmem_my_pe();
  if (me == 2 && wrong) shmem_team_sync(ends);
  if (me != 0) shmem_team_sync(rest);
  shmem_barrier_all();
  if (me == 0 || (me == 2 && !wrong)) shmem_team_sync(ends);
}

/* ---- Each PE alone. */
static void reduce_overlap(int wrong) { /* in place is right, half in place is not */
  long* both = words(8);
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, both, wrong ? both + 1 : both, 4);
}

static void broadcast_in_place(int wrong) {
  long* both = words(8);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, both, wrong ? both : both + 4, 4, 0);
}

static void reduce_past_block(int wrong) {
  long* dest = words(4);
  long* source = words(5);
  shmem_long_prod_reduce(SHMEM_TEAM_WORLD, dest, source, wrong ? 5 : 4);
}

static void alltoall_after_free(int wrong) {
  long* gone = words(16);
  long* dest = words(16);
  long* source = words(16);
  shmem_free(gone);
  shmem_long_alltoall(SHMEM_TEAM_WORLD, dest, wrong ? gone : source, 1);
}

static void too_much_to_reduce(int wrong) {
  long* a = words(4);
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, a, a, wrong ? SIZE_MAX / 8 + 2 : 4);
}

static void too_much_to_collect(int wrong) {
  long* dest = words(64);
  long* source = words(4);
  shmem_long_fcollect(SHMEM_TEAM_WORLD, dest, source, wrong ? (size_t)1 << 61 : 4);
}

static void dead_team(int wrong) {
  shmem_team_t team;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, shmem_n_pes(), NULL, 0, &team);
  if (wrong) shmem_team_destroy(team);
  shmem_team_sync(team);
}

static void unequal_split(int wrong) {
  shmem_team_t team;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, mine(wrong) ? 1 : 2, NULL, 0, &team);
}

const struct negative collective_cases[] = {{"broadcast_beside_reduce", broadcast_beside_reduce, 0},
                                            {"barrier_beside_fcollect", barrier_beside_fcollect, 0},
                                            {"malloc_beside_barrier", malloc_beside_barrier, 0},
                                            {"sync_beside_split", sync_beside_split, 0},
                                            {"order_in_team", order_in_team, 0},
                                            {"reduce_size", reduce_size, 0},
                                            {"reduce_of_nothing", reduce_of_nothing, 0},
                                            {"fcollect_size", fcollect_size, 0},
                                            {"collect_beside_fcollect", collect_beside_fcollect, 0},
                                            {"roots_differ", roots_differ, 0},
                                            {"no_root", no_root, 0},
                                            {"strides_differ", strides_differ, 0},
                                            {"no_stride", no_stride, 0},
                                            {"objects_differ", objects_differ, 0},
                                            {"active_sets", active_sets, 0},
                                            {"teams_crossed", teams_crossed, 0},
                                            {"set_beside_team", set_beside_team, 0},
                                            {"crossed_behind_another", crossed_behind_another, 0},
                                            {"reduce_overlap", reduce_overlap, 0},
                                            {"broadcast_in_place", broadcast_in_place, 0},
                                            {"reduce_past_block", reduce_past_block, 0},
                                            {"alltoall_after_free", alltoall_after_free, 0},
                                            {"too_much_to_reduce", too_much_to_reduce, 0},
                                            {"too_much_to_collect", too_much_to_collect, 0},
                                            {"dead_team", dead_team, 0},
                                            {"unequal_split", unequal_split, 0},
                                            {NULL, NULL, 0}};
