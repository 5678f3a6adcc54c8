#include "launcher/bootstrap/pmix_fence.h"

#include "runtime/base/cache_line.h"

#include <pmix.h>

#include <memory>

namespace canopy {
namespace {

struct Fence {
  uint32_t is_done = 0;  // written once by libpmix's thread
  pmix_status_t status = PMIX_SUCCESS;
  Doorbell bell;
  pmix_info_t collect;
  const char* purpose = "";

  // `reference` keeps the fence alive until the callback, even if the waiter has given up.
  static void finish(pmix_status_t status, void* reference) {
    std::unique_ptr<std::shared_ptr<Fence>> fence(static_cast<std::shared_ptr<Fence>*>(reference));
    (*fence)->status = status;
    // Publishes status; pairs with the acquire in run_fence().
    store_release(&(*fence)->is_done, 1);
    (*fence)->bell.ring(BellScope::process);
  }
};

Result<> check(const PmixSession& session, const Fence& fence, pmix_status_t status) {
  if (status != PMIX_SUCCESS && status != PMIX_OPERATION_SUCCEEDED) {
    return fail(Errc::peer_lost, "{}: the PMIx servers did not {}: {}", session.name(),
                fence.purpose, PMIx_Error_string(status));
  }
  return {};
}

Result<> run_fence(const PmixSession& session, bool collect, const char* purpose,
                   Deadline deadline) {
  auto fence = std::make_shared<Fence>();
  fence->purpose = purpose;
  PMIX_INFO_LOAD(&fence->collect, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
  auto reference = std::make_unique<std::shared_ptr<Fence>>(fence);
  const pmix_status_t posted =
      PMIx_Fence_nb(nullptr, 0, &fence->collect, 1, &Fence::finish, reference.get());
  if (posted != PMIX_SUCCESS) {
    return check(session, *fence, posted);  // failed, or complete already: no callback will come
  }
  reference.release();
  const auto end = wait_until(
      // Acquire: pairs with the release in finish().
      [&] { return load_acquire(&fence->is_done) != 0; }, &fence->bell, BellScope::process,
      deadline,
      [&] { return fmt::format("{} for the PMIx servers to {}", session.name(), purpose); });
  if (end == WaitEnd::deadline) {
    return fail(Errc::timeout, "{}: all PEs came, but the PMIx servers did not {}", session.name(),
                purpose);
  }
  return check(session, *fence, fence->status);
}

}  // namespace

Result<> collect_all_data(const PmixSession& session, Deadline deadline) {
  return run_fence(session, true, "exchange the cards", deadline);
}

Result<> pass_fence(const PmixSession& session, Deadline deadline) {
  return run_fence(session, false, "let all hosts leave together", deadline);
}

}  // namespace canopy
