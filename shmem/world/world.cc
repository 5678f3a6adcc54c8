#include "shmem/world/world.h"

#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/random_id.h"
#include "runtime/driver/driver.h"
#include "shmem/sync/wait.h"
#include "shmem/world/kernel_side.h"
#include "shmem/world/memory_limit.h"
#include "shmem/world/op_counts.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>

namespace canopy::shmem {
namespace {

constexpr uint64_t kGranuleBytes = 2u << 20;
constexpr transport::RegionId kUserRegion = 0;

uint64_t granules(uint64_t bytes) {
  return std::max<uint64_t>(1, (bytes + kGranuleBytes - 1) / kGranuleBytes) * kGranuleBytes;
}

uint64_t default_device_heap() {
  return granules(env::bytes("CANOPY_DEVICE_HEAP_SIZE").value_or(256u << 20));
}

}  // namespace

World::World(std::unique_ptr<Bootstrap> bootstrap, const WorldOptions& options)
    : bootstrap_(std::move(bootstrap)), options_(options) {
  hot_.my_pe = bootstrap_->pe();
  hot_.n_pes = static_cast<uint32_t>(bootstrap_->n_pes());
  hot_.world = this;
}

Result<std::unique_ptr<World>> World::create(std::unique_ptr<Bootstrap> bootstrap,
                                             const WorldOptions& options) {
  std::unique_ptr<World> world(new World(std::move(bootstrap), options));
  CANOPY_TRY(world->start());
  return world;
}

World::~World() {
  broker_.reset();  // first: its thread may be in peer_lost()
  if (current_world() == this) {
    set_current(nullptr, options_.for_thread);
  }
  unregister_from_runtime();
  for (uint64_t id : published_) {
    withdraw_in_process(id);
  }
}

Result<> World::start() {
  CANOPY_ASSIGN(const Card mine, make_card());
  CANOPY_TRY(meet(mine));
  CANOPY_TRY(agree_on(build_paths()));
  // Only now is it certain that the leader of this process has mapped everything.
  const int leader = LocalGroup::leader_of(cards_, my_pe());
  if (leader != my_pe()) {
    CANOPY_ASSIGN(group_, LocalGroup::find(cards_[static_cast<size_t>(leader)]));
  }
  std::vector<ControlPage*> pages;
  for (int pe = 0; pe < n_pes(); ++pe) {
    pages.push_back(&control(pe));
  }
  barrier_ = Barrier(my_pe(), std::move(pages), cpus_together(cards_));
  CANOPY_TRY(connect_transports());
  for (uint64_t id : std::exchange(published_, {})) {
    withdraw(id);
  }
  host_heap_.emplace(*this, HeapKind::host, group_->area().user(my_pe()),
                     group_->area().host_bytes());
  register_with_runtime(0, group_->area().host_bytes(), false);
  reset_op_counts();
  set_current(&hot_, options_.for_thread);
  if (kernel_side().set_remote_bell != nullptr) {
    kernel_side().set_remote_bell(&bell());
  }
  sync();
  return {};
}

Result<Card> World::make_card() {
  Card card = card_of_this_process();
  // PEs that are threads find each other inside the process and need no broker.
  if (n_pes() > 1 && bootstrap_->kind() != "threads") {
    CANOPY_ASSIGN(broker_, Broker::start([this](uint64_t pe) { peer_lost(static_cast<int>(pe)); }));
    card.broker = broker_->address();
  }
  CANOPY_ASSIGN(const HeapWish wish, options_.heap_bytes
                                         ? Result<HeapWish>(HeapWish{*options_.heap_bytes, true})
                                         : wanted_heap(env::local_ranks()));
  card.heap_bytes = granules(wish.bytes);
  card.heap_by_user = wish.by_user;
  card.control_nonce = random_id();

  CANOPY_ASSIGN(control_fd_, sealed_memfd("canopy-control", SlotArea::control_bytes()));
  CANOPY_ASSIGN(const Mapping page, Mapping::shared(control_fd_, SlotArea::control_bytes()));
  auto* control = new (page.base()) ControlPage;
  control->bytes = sizeof(ControlPage);
  control->pid = card.pid;
  control->pe = my_pe();
  control->nonce = card.control_nonce;
  // Untouched pages of the heap cost nothing, whatever its size.
  CANOPY_ASSIGN(heap_fd_, sealed_memfd("canopy-heap", card.heap_bytes));
  CANOPY_TRY(publish(&card.control_id, control_fd_, SlotArea::control_bytes()));
  CANOPY_TRY(publish(&card.heap_id, heap_fd_, card.heap_bytes));
  return card;
}

Result<> World::meet(const Card& mine) {
  CANOPY_ASSIGN(const auto packed, bootstrap_->exchange(mine.pack()));
  if (packed.size() != hot_.n_pes) {
    return fail(Errc::internal, "pe {}: {} cards came for {} PEs", my_pe(), packed.size(), n_pes());
  }
  for (int pe = 0; pe < n_pes(); ++pe) {
    CANOPY_ASSIGN(Card card, Card::unpack(packed[static_cast<size_t>(pe)], pe));
    cards_.push_back(std::move(card));
  }
  return {};
}

Result<> World::build_paths() {
  const auto least =
      std::min_element(cards_.begin(), cards_.end(),
                       [](const Card& a, const Card& b) { return a.heap_bytes < b.heap_bytes; });
  if (least->heap_by_user) {
    CANOPY_TRY(check_heap_fits(least->heap_bytes, n_pes(), my_pe(), "SHMEM_SYMMETRIC_SIZE"));
  }
  if (LocalGroup::leader_of(cards_, my_pe()) == my_pe()) {
    const uint64_t room = std::max(granules(options_.device_heap_bytes), default_device_heap());
    CANOPY_ASSIGN(group_,
                  LocalGroup::build(cards_, my_pe(), broker_.get(), least->heap_bytes, room));
  }
  return {};
}

Result<> World::connect_transports() {
  SlotArea& area = group_->area();
  std::span<std::byte> mine{area.user(my_pe()), area.host_bytes()};
  CANOPY_TRY(self_.register_region(kUserRegion, mine));
  CANOPY_TRY(mapped_.register_region(kUserRegion, mine));
  peers_.resize(hot_.n_pes);
  for (int pe = 0; pe < n_pes(); ++pe) {
    const transport::PeerRegion region{
        .id = kUserRegion, .bytes = area.host_bytes(), .mapped_at = area.user(pe), .key = {}};
    transport::Transport& path = transport_to(pe);
    CANOPY_TRY(path.connect(pe, "", {&region, 1}));
    // Asked once: afterwards the table below is the path.
    const auto base = path.direct(pe, kUserRegion);
    if (!base) {
      return fail(Errc::internal, "pe {}: the {} path to PE {} has no address", my_pe(),
                  path.capabilities().name, pe);
    }
    peers_[static_cast<size_t>(pe)] = {reinterpret_cast<uintptr_t>(*base), &control(pe).bell};
  }
  hot_.peers = peers_.data();
  hot_.base = peers_[static_cast<size_t>(my_pe())].base;
  hot_.bytes = area.host_bytes();
  return {};
}

transport::Transport& World::transport_to(int pe) {
  return pe == my_pe() ? static_cast<transport::Transport&>(self_) : mapped_;
}

std::string World::why(int pe) const {
  return pe == my_pe() ? std::string("self") : group_->why(pe);
}

Result<> World::agree_on(const Result<>& mine) {
  const std::string text = mine ? std::string() : fmt::format("!{}", error_text::newest());
  CANOPY_ASSIGN(const auto all, bootstrap_->exchange(text));
  CANOPY_TRY(mine);
  for (size_t pe = 0; pe < all.size(); ++pe) {
    if (!all[pe].empty()) {
      return fail(Errc::peer_lost, "pe {}: PE {} failed: {}", my_pe(), pe, all[pe].substr(1));
    }
  }
  return {};
}

Result<> World::publish(uint64_t* id, const UniqueFd& fd, uint64_t bytes) {
  if (broker_ != nullptr) {
    CANOPY_ASSIGN(*id, broker_->publish(fd, bytes));
  } else {
    *id = random_id();
  }
  CANOPY_TRY(offer_in_process(*id, fd, bytes));
  published_.push_back(*id);
  return {};
}

void World::withdraw(uint64_t id) {
  withdraw_in_process(id);
  if (broker_ != nullptr) {
    broker_->withdraw(id);
  }
}

SymmetricHeap* World::heap_of(const void* address) {
  if (host_heap_->contains(address)) {
    return &*host_heap_;
  }
  return device_heap_ && device_heap_->contains(address) ? &*device_heap_ : nullptr;
}

Result<> World::finalize() {
  if (std::exchange(finalized_, true)) {
    return {};
  }
  store_load_fence();
  // Release: everything this PE did; pairs with the acquire of those who wait for it to leave.
  store_release(&control(my_pe()).leaving, 1);
  for (int pe = 0; pe < n_pes(); ++pe) {
    control(pe).bell.ring(BellScope::host);
  }
  int missing = 0;
  const auto all_leave = [&] {
    while (missing < n_pes() && load_acquire(&control(missing).leaving) != 0) {
      ++missing;
    }
    return missing == n_pes();
  };
  wait_for(*this, bell(), all_leave, WakenBy::ours, "finalize",
           [&] { return fmt::format("pe {} waits in finalize for PE {}", my_pe(), missing); });
  leaving_.store(true, std::memory_order_release);
  if (kernel_side().set_remote_bell != nullptr) {
    kernel_side().set_remote_bell(nullptr);
  }
  if (host_heap_->allocator().allocations() != 0) {
    log(LogLevel::info, "finalize: {} blocks of the symmetric heap were never freed",
        host_heap_->allocator().allocations());
  }
  if (current_world() == this) {
    set_current(nullptr, options_.for_thread);
  }
  if (broker_ != nullptr) {
    for (int pe = 0; pe < n_pes(); ++pe) {
      if (!card(pe).broker.empty() && pe != my_pe()) {
        broker_->disconnect(card(pe).broker);
      }
    }
  }
  return bootstrap_->finalize();
}

// On the broker's thread. Whoever claims the word in the first PE's page speaks for the host: the
// page is memory that we hold too, and stays when its owner is the one that died.
void World::peer_lost(int pe) {
  if (leaving_.load(std::memory_order_acquire) || load_acquire(&control(pe).leaving) != 0) {
    return;
  }
  uint32_t nobody = 0;
  if (std::atomic_ref<uint32_t>(control(0).death_report)
          .compare_exchange_strong(nobody, 1, std::memory_order_acq_rel)) {
    report(fmt::format("PE {} (pid {} on host {}) died without finalize; the job ends", pe,
                       card(pe).pid, card(pe).host));
  }
  bootstrap_->abort(kPeerLostStatus, "");  // without a reason: it has been told
  ::_exit(kPeerLostStatus);                // the launcher did not end us in time
}

void World::global_exit(int status) {
  leaving_.store(true, std::memory_order_release);  // deaths from here on are our doing
  std::fflush(nullptr);
  bootstrap_->abort(status, "");
  ::_exit(status);
}

void World::fail_job(int status, const std::string& sentence) {
  report(sentence);
  global_exit(status);
}

}  // namespace canopy::shmem
