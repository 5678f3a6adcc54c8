/* §9.4 Teams, and the contexts of teams (§9.5). */
#include "conformance.h"

#include <limits.h>

static void predefined(void) {
  CHECK("§9.4: the world has all PEs by their numbers",
        shmem_team_my_pe(SHMEM_TEAM_WORLD) == me && shmem_team_n_pes(SHMEM_TEAM_WORLD) == n);
  const int shared = shmem_team_n_pes(SHMEM_TEAM_SHARED);
  CHECK("§9.4: the shared team has this PE", shared >= 1 && shmem_team_my_pe(SHMEM_TEAM_SHARED) < shared);
  for (int pe = 0; pe < shared; ++pe) {
    CHECK("§9.4: memory of the shared team's PEs can be loaded and stored",
          shmem_team_ptr(SHMEM_TEAM_SHARED, block, pe) != NULL || shmem_ptr(block, me) == NULL);
  }
  CHECK("§9.4.1: of no team", shmem_team_my_pe(SHMEM_TEAM_INVALID) == -1 && shmem_team_n_pes(SHMEM_TEAM_INVALID) == -1);
  CHECK("§9.1.9: nor of its memory", shmem_team_ptr(SHMEM_TEAM_INVALID, block, 0) == NULL);
  CHECK("§9.1.9: the world's numbers", shmem_team_ptr(SHMEM_TEAM_WORLD, block, right) == shmem_ptr(block, right));
}

static void translate(shmem_team_t team, int start, int stride, int size) {
  for (int pe = 0; pe < size; ++pe) {
    CHECK("§9.4.5: to the world", shmem_team_translate_pe(team, pe, SHMEM_TEAM_WORLD) == start + pe * stride);
    CHECK("§9.4.5: and back", shmem_team_translate_pe(SHMEM_TEAM_WORLD, start + pe * stride, team) == pe);
  }
  CHECK("§9.4.5: who is no member has no number",
        shmem_team_translate_pe(team, size, SHMEM_TEAM_WORLD) == -1 && shmem_team_translate_pe(team, -1, team) == -1);
  CHECK("§9.4.5: without a team there are no numbers", shmem_team_translate_pe(team, 0, SHMEM_TEAM_INVALID) == -1 &&
                                                           shmem_team_translate_pe(SHMEM_TEAM_INVALID, 0, team) == -1);
}

/* A context of a team counts PEs as the team does. */
static void contexts_of(shmem_team_t team) {
  shmem_ctx_t ctx;
  shmem_team_t back;
  CHECK("§9.5.2: a context of a team", shmem_team_create_ctx(team, 0, &ctx) == 0 && ctx != SHMEM_CTX_INVALID);
  CHECK("§9.5.4: knows its team", shmem_ctx_get_team(ctx, &back) == 0 && back == team);
  const int size = shmem_team_n_pes(team), rank = shmem_team_my_pe(team);
  long* word = (long*)block;
  shmem_ctx_long_p(ctx, word, 77 + rank, (rank + 1) % size);
  shmem_ctx_quiet(ctx);
  shmem_team_sync(team);
  CHECK("§9.5: PEs by the team's numbers", *word == 77 + (rank + size - 1) % size);
  CHECK("§9.5: an atomic, too", shmem_ctx_long_atomic_fetch(ctx, word, rank) == *word);
  shmem_team_sync(team);
  shmem_ctx_destroy(ctx);
}

static void strided(void) {
  for (int start = 0; start < n; ++start) {
    for (int stride = -1; stride <= 2; ++stride) {
      int size = stride == 0 ? 1 : stride < 0 ? start + 1 : (n - 1 - start) / stride + 1;
      const int distance = me - start;
      const int member = stride == 0 ? distance == 0 : distance % stride == 0 && distance / stride >= 0;
      const shmem_team_config_t wanted = {.num_contexts = 3};
      shmem_team_config_t config = {.num_contexts = -1};
      shmem_team_t team = SHMEM_TEAM_WORLD;
      CHECK("§9.4.6: a split", shmem_team_split_strided(SHMEM_TEAM_WORLD, start, stride, size, &wanted,
                                                        SHMEM_TEAM_NUM_CONTEXTS, &team) == 0);
      CHECK("§9.4.6: who is no member gets none", (team != SHMEM_TEAM_INVALID) == member);
      if (!member) continue;
      CHECK("§9.4.6: in the triplet's order", shmem_team_my_pe(team) == (stride == 0 ? 0 : distance / stride));
      CHECK("§9.4.2", shmem_team_n_pes(team) == size);
      CHECK("§9.4.4: with no bit in the mask nothing is told",
            shmem_team_get_config(team, 0, NULL) == 0 && config.num_contexts == -1);
      CHECK("§9.4.4", shmem_team_get_config(team, SHMEM_TEAM_NUM_CONTEXTS, &config) == 0 && config.num_contexts == 3);
      translate(team, start, stride, size);
      CHECK("§9.10.3: at once", shmem_team_sync(team) == 0);
      contexts_of(team);
      shmem_team_t child = SHMEM_TEAM_WORLD;
      CHECK("§9.4.6: a child of a child",
            shmem_team_split_strided(team, size - 1, -1, size, NULL, 0, &child) == 0 &&
                shmem_team_my_pe(child) == size - 1 - shmem_team_my_pe(team));
      shmem_team_sync(child);
      shmem_team_destroy(child);
      shmem_team_destroy(team);
    }
  }
}

static void refused(void) {
  static const int triplets[][3] = {{-1, 1, 1}, {0, 1, 0}, {0, 1, -1}, {0, 0, 2}, {0, -1, 2}, {0, 1, 1 << 20}, {1 << 20, 1, 1}};
  for (size_t i = 0; i < sizeof triplets / sizeof *triplets; ++i) {
    shmem_team_t team = SHMEM_TEAM_WORLD;
    CHECK("§9.4.6: what does not lie within the parent is refused on all",
          shmem_team_split_strided(SHMEM_TEAM_WORLD, triplets[i][0], triplets[i][1], triplets[i][2], NULL, 0, &team) != 0 &&
              team == SHMEM_TEAM_INVALID);
  }
  shmem_team_t x = SHMEM_TEAM_WORLD, y = SHMEM_TEAM_WORLD;
  CHECK("§9.4.7: no row without a PE",
        shmem_team_split_2d(SHMEM_TEAM_WORLD, 0, NULL, 0, &x, NULL, 0, &y) != 0 && x == SHMEM_TEAM_INVALID && y == x);
  x = y = SHMEM_TEAM_WORLD;
  CHECK("§9.4.6, erratum of 1.5: no parent",
        shmem_team_split_strided(SHMEM_TEAM_INVALID, 0, 1, 1, NULL, 0, &x) != 0 && x == SHMEM_TEAM_INVALID);
  x = SHMEM_TEAM_WORLD;
  CHECK("§9.4.7: nor here", shmem_team_split_2d(SHMEM_TEAM_INVALID, 1, NULL, 0, &x, NULL, 0, &y) != 0 &&
                                x == SHMEM_TEAM_INVALID && y == SHMEM_TEAM_INVALID);
  shmem_team_config_t config;
  shmem_ctx_t ctx = SHMEM_CTX_DEFAULT;
  CHECK("§9.4.4: no configuration without a team", shmem_team_get_config(SHMEM_TEAM_INVALID, 1, &config) != 0);
  CHECK("§9.5.2: no context without a team",
        shmem_team_create_ctx(SHMEM_TEAM_INVALID, 0, &ctx) != 0 && ctx == SHMEM_CTX_INVALID);
  CHECK("§9.5.4", shmem_ctx_get_team(SHMEM_CTX_INVALID, &x) != 0 && x == SHMEM_TEAM_INVALID);
  CHECK("§9.5.4", shmem_ctx_get_team(SHMEM_CTX_DEFAULT, &x) == 0 && x == SHMEM_TEAM_WORLD);
  CHECK("§9.5.4", shmem_ctx_get_team(context, &x) == 0 && x == SHMEM_TEAM_WORLD);
  shmem_team_destroy(SHMEM_TEAM_INVALID);
}

static void rows_and_columns(void) {
  for (int wanted = 1; wanted <= n + 1; ++wanted) {
    const int xrange = wanted <= n ? wanted : INT_MAX; /* more than there are is one row */
    shmem_team_t x, y;
    CHECK("§9.4.7", shmem_team_split_2d(SHMEM_TEAM_WORLD, xrange, NULL, 0, &x, NULL, 0, &y) == 0);
    CHECK("§9.4.7: a row", shmem_team_my_pe(x) == me % xrange &&
                               shmem_team_translate_pe(x, 0, SHMEM_TEAM_WORLD) == me / xrange * xrange);
    CHECK("§9.4.7: a column",
          shmem_team_my_pe(y) == me / xrange && shmem_team_translate_pe(y, 0, SHMEM_TEAM_WORLD) == me % xrange);
    CHECK("§9.4.7: the last row may be short",
          shmem_team_n_pes(x) == (me / xrange == (n - 1) / xrange ? n - me / xrange * xrange : xrange));
    shmem_team_sync(x);
    shmem_team_sync(y);
    shmem_team_destroy(x);
    shmem_team_destroy(y);
  }
}

void chapter_teams(void) {
  predefined();
  strided();
  refused();
  rows_and_columns();
}
