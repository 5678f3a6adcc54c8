// shmem.h: teams.
#include "shmem/api/team_of.h"

#include "runtime/base/log.h"
#include "shmem/api/announced.h"
#include "shmem/api/create_context.h"
#include "shmem/api/define.h"
#include "shmem/context/open_context.h"
#include "shmem/rma/far_ops.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

using namespace canopy;
using namespace canopy::shmem;

namespace canopy::shmem {

Team* find_team(shmem_team_t team, const char* routine) {
  TeamBook& book = world_for(routine).teams();
  if (team == SHMEM_TEAM_WORLD) {
    return &book.all();
  }
  return team == SHMEM_TEAM_SHARED ? &book.shared() : book.find(team);
}

Team& team_of(shmem_team_t team, const char* routine) {
  Team* found = find_team(team, routine);
  if (found == nullptr) {
    World& world = world_for(routine);
    world.fail_job(kMisuseStatus,
                   team == SHMEM_TEAM_INVALID
                       ? fmt::format("pe {}: {}: SHMEM_TEAM_INVALID is no team", world.my_pe(), routine)
                       : fmt::format("pe {}: {}: {} is not a team, or was destroyed", world.my_pe(), routine,
                                     fmt::ptr(team)));
  }
  return *found;
}

}  // namespace canopy::shmem

namespace {

int contexts_wanted(const shmem_team_config_t* config, long mask) {
  return config != nullptr && (mask & SHMEM_TEAM_NUM_CONTEXTS) != 0 ? config->num_contexts : 0;
}

// The handle goes to the program; what failed goes to the log.
int told(const TeamBook::Split& split, shmem_team_t* team) {
  *team = split.good ? static_cast<shmem_team_t>(split.handle) : SHMEM_TEAM_INVALID;
  if (!split.good) {
    log(LogLevel::info, "{}", error_text::newest());
  }
  return split.good ? 0 : 1;
}

}  // namespace

extern "C" {

int pshmem_team_my_pe(shmem_team_t team) {
  constexpr const char* kRoutine = "shmem_team_my_pe";
  return team == SHMEM_TEAM_INVALID ? -1 : team_of(team, kRoutine).rank();
}

int pshmem_team_n_pes(shmem_team_t team) {
  constexpr const char* kRoutine = "shmem_team_n_pes";
  return team == SHMEM_TEAM_INVALID ? -1 : team_of(team, kRoutine).size();
}

int pshmem_team_get_config(shmem_team_t team, long config_mask, shmem_team_config_t* config) {
  if (team == SHMEM_TEAM_INVALID) {
    return 1;
  }
  const Team& found = team_of(team, "shmem_team_get_config");
  if ((config_mask & SHMEM_TEAM_NUM_CONTEXTS) != 0) {
    config->num_contexts = found.num_contexts();
  }
  return 0;
}

int pshmem_team_translate_pe(shmem_team_t src_team, int src_pe, shmem_team_t dest_team) {
  constexpr const char* kRoutine = "shmem_team_translate_pe";
  if (src_team == SHMEM_TEAM_INVALID || dest_team == SHMEM_TEAM_INVALID) {
    return -1;
  }
  const Team& from = team_of(src_team, kRoutine);
  const Team& to = team_of(dest_team, kRoutine);
  return src_pe < 0 || src_pe >= from.size() ? -1 : to.rank_of(from.pe(src_pe));
}

int pshmem_team_split_strided(shmem_team_t parent_team, int start, int stride, int size,
                              const shmem_team_config_t* config, long config_mask, shmem_team_t* new_team) {
  if (parent_team == SHMEM_TEAM_INVALID) {
    *new_team = SHMEM_TEAM_INVALID;
    return 1;
  }
  constexpr const char* kRoutine = "shmem_team_split_strided";
  Team& parent = announced(team_of(parent_team, kRoutine), kRoutine);
  return told(parent.world().teams().split_strided(parent, {start, stride, size}, contexts_wanted(config, config_mask)),
              new_team);
}

int pshmem_team_split_2d(shmem_team_t parent_team, int xrange, const shmem_team_config_t* xaxis_config,
                         long xaxis_mask, shmem_team_t* xaxis_team, const shmem_team_config_t* yaxis_config,
                         long yaxis_mask, shmem_team_t* yaxis_team) {
  if (parent_team == SHMEM_TEAM_INVALID) {
    *xaxis_team = *yaxis_team = SHMEM_TEAM_INVALID;
    return 1;
  }
  constexpr const char* kRoutine = "shmem_team_split_2d";
  Team& parent = announced(team_of(parent_team, kRoutine), kRoutine);
  const auto [x, y] = parent.world().teams().split_2d(parent, xrange, contexts_wanted(xaxis_config, xaxis_mask),
                                                      contexts_wanted(yaxis_config, yaxis_mask));
  const int y_told = told(y, yaxis_team);
  return told(x, xaxis_team) | y_told;
}

void pshmem_team_destroy(shmem_team_t team) {
  constexpr const char* kRoutine = "shmem_team_destroy";
  if (team == SHMEM_TEAM_INVALID) {
    return;
  }
  World& world = announced(team_of(team, kRoutine), kRoutine).world();
  world.contexts().destroy_all_of(team, kRoutine);
  if (!world.teams().destroy(team)) {
    world.fail_job(kMisuseStatus, fmt::format("pe {}: {} on a predefined team, which lives as long as the job",
                                              world.my_pe(), kRoutine));
  }
}

void* pshmem_team_ptr(shmem_team_t team, const void* dest, int pe) {
  if (team == SHMEM_TEAM_INVALID) {
    return nullptr;
  }
  const Team& found = team_of(team, "shmem_team_ptr");
  return pe < 0 || pe >= found.size() ? nullptr : pshmem_ptr(dest, found.pe(pe));
}

int pshmem_team_create_ctx(shmem_team_t team, long options, shmem_ctx_t* ctx) {
  *ctx = SHMEM_CTX_INVALID;
  if (team == SHMEM_TEAM_INVALID) {
    return 1;
  }
  if (team == SHMEM_TEAM_WORLD) {
    return pshmem_ctx_create(options, ctx);
  }
  constexpr const char* kRoutine = "shmem_team_create_ctx";
  const Team& found = team_of(team, kRoutine);
  return create_context(found.world(), options, {team, found.pes()}, ctx, kRoutine);
}

int pshmem_ctx_get_team(shmem_ctx_t ctx, shmem_team_t* team) {
  *team = SHMEM_TEAM_INVALID;
  if (ctx == SHMEM_CTX_INVALID) {
    return 1;
  }
  const Hot& hot = hot_of(ctx);
  if (hot.world == nullptr) {
    bad_target(hot, nullptr, 0, 1, 0, "shmem_ctx_get_team");
  }
  const void* named = hot.context == nullptr ? nullptr : hot.context->team();
  *team = named == nullptr ? SHMEM_TEAM_WORLD : static_cast<shmem_team_t>(const_cast<void*>(named));
  return 0;
}

int pshmem_team_sync(shmem_team_t team) {
  constexpr const char* kRoutine = "shmem_team_sync";
  count_host(Op::barrier);
  announced(team_of(team, kRoutine), kRoutine).sync(kRoutine);
  return 0;
}

}  // extern "C"

SHMEMX_TEAM_ROUTINES(CANOPY_ALIAS)
