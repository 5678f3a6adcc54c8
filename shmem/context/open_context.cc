#include "shmem/context/open_context.h"

#include "shmem/rma/far_ops.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <utility>

namespace canopy::shmem {

OpenContext::OpenContext(World& world, ContextOptions options, ContextTeam team)
    : world_(world), options_(options), team_(std::move(team)) {}

Result<> OpenContext::open_ways() {
  if (world_.far() == nullptr) {
    return {};
  }
  for (const auto& transport : world_.far()->transports()) {
    CANOPY_ASSIGN(ways_.emplace_back(), transport->open_context());
  }
  return {};
}

Hot OpenContext::make_hot() {
  if (world_.guard() == nullptr) {
    return make_true_hot();
  }
  behind_ = make_true_hot();
  return front_.of(behind_);
}

Hot OpenContext::make_true_hot() {
  Hot hot = world_.hot();
  hot.context = this;
  if (team_.pes.empty()) {
    return hot;
  }
  peers_.resize(team_.pes.size());
  for (size_t i = 0; i < peers_.size(); ++i) {
    peers_[i] = hot.peers[team_.pes[i]];
  }
  hot.peers = peers_.data();
  hot.n_pes = static_cast<uint32_t>(peers_.size());
  return hot;
}

transport::Context* OpenContext::way_to(int job_pe) const {
  const transport::Transport* way = world_.far()->way_to(job_pe);
  const auto& transports = world_.far()->transports();
  for (size_t i = 0; i < transports.size(); ++i) {
    if (transports[i].get() == way) {
      return ways_[i].get();
    }
  }
  return nullptr;
}

void OpenContext::check_owner(uintptr_t handle) const {
  if (options_.is_private && creator_ != std::this_thread::get_id()) {
    world_.fail_job(
        kMisuseStatus,
        fmt::format("pe {}: context {:#x} was created with SHMEM_CTX_PRIVATE by another "
                    "thread than the one that uses it",
                    world_.my_pe(), handle));
  }
}

Contexts::~Contexts() {
  for (const auto& [handle, context] : open_) {
    give_slot_back(handle);
  }
}

Result<ContextHandle> Contexts::create(ContextOptions options, ContextTeam team) {
  auto context = std::make_unique<OpenContext>(world_, options, std::move(team));
  CANOPY_TRY(context->open_ways());
  std::lock_guard lock(mutex_);
  const auto handle = take_slot(context->make_hot());
  if (!handle) {
    return fail(Errc::limit, "pe {}: there are {} contexts already, no more can be named",
                world_.my_pe(), kContextSlots - 2);
  }
  open_.emplace(*handle, std::move(context));
  return *handle;
}

void Contexts::destroy(ContextHandle context, const char* routine) {
  far_quiet(slot_hot(context), routine);
  std::unique_ptr<OpenContext> gone;  // goes after the lock: transports may take their time
  std::lock_guard lock(mutex_);
  const auto found = open_.find(context);
  if (found != open_.end()) {
    give_slot_back(context);
    gone = std::move(found->second);
    open_.erase(found);
  }
}

std::vector<ContextHandle> Contexts::open_of(const void* team, bool all) {
  std::vector<ContextHandle> handles;
  std::lock_guard lock(mutex_);
  for (const auto& [handle, context] : open_) {
    if (all || context->team() == team) {
      handles.push_back(handle);
    }
  }
  return handles;
}

void Contexts::destroy_all(const char* routine) {
  for (ContextHandle handle : open_of(nullptr, true)) {
    destroy(handle, routine);
  }
}

void Contexts::destroy_all_of(const void* team, const char* routine) {
  for (ContextHandle handle : open_of(team, false)) {
    destroy(handle, routine);
  }
}

void Contexts::refresh() {
  std::lock_guard lock(mutex_);
  for (const auto& [handle, context] : open_) {
    slot_hot(handle) = context->make_hot();
  }
}

}  // namespace canopy::shmem
