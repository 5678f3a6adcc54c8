#include "launcher/bootstrap/single_bootstrap.h"

#include "runtime/base/log.h"

namespace canopy {

Result<> SingleBootstrap::require_open(std::string_view call) const {
  if (finalized_) {
    return fail(Errc::closed, "pe 0 of 1: {} after finalize", call);
  }
  return {};
}

Result<std::vector<std::string>> SingleBootstrap::exchange(std::string_view card) {
  CANOPY_TRY(require_open("exchange"));
  return std::vector<std::string>{std::string(card)};
}

Result<> SingleBootstrap::barrier() { return require_open("barrier"); }

void SingleBootstrap::abort(int status, std::string_view reason) {
  if (!reason.empty()) {
    report(fmt::format("pe 0 of 1 ends the job with status {}: {}", status, reason));
  }
}

Result<> SingleBootstrap::finalize() {
  finalized_ = true;
  return {};
}

}  // namespace canopy
