#include "launcher/bootstrap/pmix_fence.h"

#include "runtime/base/cache_line.h"

#include <pmix.h>

namespace canopy {

struct PmixFence::State {
  uint32_t is_done = 0;  // written once by libpmix's thread
  pmix_status_t status = PMIX_SUCCESS;
  Doorbell bell;
  pmix_info_t collect;

  // `reference` keeps the state alive until the callback, even if the waiter has given up.
  static void finish(pmix_status_t status, void* reference) {
    std::unique_ptr<std::shared_ptr<State>> state(static_cast<std::shared_ptr<State>*>(reference));
    (*state)->status = status;
    // Publishes status; pairs with the acquire in done().
    store_release(&(*state)->is_done, 1);
    (*state)->bell.ring(BellScope::process);
  }
};

Result<PmixFence> PmixFence::post(Data data, std::string_view who) {
  auto state = std::make_shared<State>();
  bool yes = true;
  PMIX_INFO_LOAD(&state->collect, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
  auto reference = std::make_unique<std::shared_ptr<State>>(state);
  const bool collect = data == Data::collect;
  const pmix_status_t status = PMIx_Fence_nb(nullptr, 0, collect ? &state->collect : nullptr,
                                             collect ? 1 : 0, &State::finish, reference.get());
  if (status == PMIX_OPERATION_SUCCEEDED) {  // complete already, and no callback will come
    state->is_done = 1;
    return PmixFence(std::move(state));
  }
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io, "{}: the launcher's PMIx server refused a fence: {}", who,
                PMIx_Error_string(status));
  }
  reference.release();
  return PmixFence(std::move(state));
}

// Acquire: pairs with the release in finish().
bool PmixFence::done() const { return load_acquire(&state_->is_done) != 0; }

Doorbell& PmixFence::bell() { return state_->bell; }

int PmixFence::status() const { return state_->status; }

}  // namespace canopy
