// shmem.h: contexts and sessions.
#include "runtime/base/log.h"
#include "shmem/api/create_context.h"
#include "shmem/api/define.h"
#include "shmem/rma/far_ops.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

#include <utility>

using namespace canopy;
using namespace canopy::shmem;

namespace canopy::shmem {
namespace {

constexpr long kOptions = SHMEM_CTX_SERIALIZED | SHMEM_CTX_PRIVATE | SHMEM_CTX_NOSTORE;

Result<ContextOptions> options_of(const World& world, long options, const char* routine) {
  if ((options & ~kOptions) != 0) {
    return fail(Errc::invalid_argument, "pe {}: {}: {:#x} has bits that are no options",
                world.my_pe(), routine, options);
  }
  return ContextOptions{.serialized = (options & SHMEM_CTX_SERIALIZED) != 0,
                        .is_private = (options & SHMEM_CTX_PRIVATE) != 0,
                        .no_store = (options & SHMEM_CTX_NOSTORE) != 0};
}

}  // namespace

int create_context(World& world, long options, ContextTeam team, shmem_ctx_t* context,
                   const char* routine) {
  const auto created =
      options_of(world, options, routine).and_then([&](const ContextOptions& known) {
        return world.contexts().create(known, std::move(team));
      });
  *context = created ? *created : SHMEM_CTX_INVALID;
  if (!created) {
    log(LogLevel::info, "{}", error_text::newest());
  }
  return created ? 0 : 1;
}

}  // namespace canopy::shmem

namespace {

// Ends the job when the handle names no context.
const Hot& alive(shmem_ctx_t ctx, const char* routine) {
  const Hot& hot = hot_of(ctx);
  if (hot.world == nullptr) {
    bad_target(hot, nullptr, 0, 1, 0, routine);
  }
  return hot;
}

}  // namespace

extern "C" {

int pshmem_ctx_create(long options, shmem_ctx_t* ctx) {
  constexpr const char* kRoutine = "shmem_ctx_create";
  return create_context(world_for(kRoutine), options, {}, ctx, kRoutine);
}

void pshmem_ctx_destroy(shmem_ctx_t ctx) {
  if (ctx == SHMEM_CTX_INVALID) {
    return;
  }
  constexpr const char* kRoutine = "shmem_ctx_destroy";
  World& world = *alive(ctx, kRoutine).world;
  if (ctx == SHMEM_CTX_DEFAULT) {
    world.fail_job(kMisuseStatus,
                   fmt::format("pe {}: {} on SHMEM_CTX_DEFAULT, which lives as long as "
                               "the job",
                               world.my_pe(), kRoutine));
  }
  world.contexts().destroy(ctx, kRoutine);
}

// Hints only: nothing is held back for a session, so there is nothing to begin or to end.
void pshmem_ctx_session_start(shmem_ctx_t ctx, long, const shmem_ctx_session_config_t*, long) {
  if (ctx != SHMEM_CTX_INVALID) {
    alive(ctx, "shmem_ctx_session_start");
  }
}

void pshmem_ctx_session_stop(shmem_ctx_t ctx) {
  if (ctx != SHMEM_CTX_INVALID) {
    alive(ctx, "shmem_ctx_session_stop");
  }
}

}  // extern "C"

SHMEMX_CONTEXT_ROUTINES(CANOPY_ALIAS)
