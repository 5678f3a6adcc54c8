// Bootstrap::create(): which kind of job this process belongs to, told by its environment.
#include "launcher/bootstrap/bootstrap.h"
#include "launcher/bootstrap/pmix_bootstrap.h"
#include "launcher/bootstrap/single_bootstrap.h"
#include "runtime/base/env.h"

namespace canopy {
namespace {

// A launcher that started several processes but offers no PMIx. Taking each of them for a job of
// one would run the program N times side by side, which looks like success.
Result<> refuse_launcher_without_pmix() {
  for (const char* name : {"PMI_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"}) {
    const auto size = env::text(name) ? env::integer(name) : std::nullopt;
    if (size && *size > 1) {
      return fail(Errc::not_supported,
                  "a launcher has started {} processes ({}) but offers no PMIx: start the program "
                  "with Open MPI's mpirun or srun --mpi=pmix, or set CANOPY_BOOTSTRAP=single for "
                  "separate jobs of one",
                  *size, name);
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Bootstrap>> Bootstrap::create() {
  const std::string wanted = env::text("CANOPY_BOOTSTRAP").value_or("");
  if (!wanted.empty() && wanted != "pmix" && wanted != "single") {
    return fail(Errc::invalid_argument, "CANOPY_BOOTSTRAP={} is neither pmix nor single", wanted);
  }
  const bool launched = env::text("PMIX_NAMESPACE") && env::text("PMIX_RANK");
  if (wanted == "pmix" || (wanted.empty() && launched)) {
    return PmixBootstrap::create();
  }
  if (wanted.empty()) {
    CANOPY_TRY(refuse_launcher_without_pmix());
  }
  return std::make_unique<SingleBootstrap>();
}

}  // namespace canopy
