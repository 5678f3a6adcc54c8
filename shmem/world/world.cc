#include "shmem/world/world.h"

#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/random_id.h"
#include "runtime/driver/driver.h"
#include "shmem/debug/call_site.h"
#include "shmem/rma/far_ops.h"
#include "shmem/sync/wait.h"
#include "shmem/world/globals.h"
#include "shmem/world/kernel_side.h"
#include "shmem/world/memory_limit.h"
#include "shmem/world/op_counts.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <new>
#include <numeric>

namespace canopy::shmem {
namespace {

constexpr uint64_t kGranuleBytes = 2u << 20;

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
  broker_.reset();  // first: its thread may be in deaths_
  deaths_.stop();
  end_lending();
  if (current_world() == this) {
    set_current(nullptr, options_.for_thread);
  }
  unregister_from_runtime();
  for (uint64_t id : published_) {
    withdraw_in_process(id);
  }
  if (lending_ != nullptr) {
    lending_->detach();
  }
}

Result<> World::start() {
  CANOPY_ASSIGN(wish_,
                options_.paths ? Result<PathWish>(*options_.paths) : PathWish::from_environment());
  CANOPY_ASSIGN(const Card mine, make_card());
  CANOPY_TRY(meet_all(mine));
  CANOPY_TRY(wire_up(map_peers()));
  std::vector<int> everybody(hot_.n_pes);
  std::iota(everybody.begin(), everybody.end(), 0);
  gathering_ = Gathering(*this, everybody, [this](int pe) { return meeting_place(pe); });
  for (uint64_t id : std::exchange(published_, {})) {
    withdraw(id);
  }
  teams_ = std::make_unique<TeamBook>(*this);
  make_guard();
  host_heap_.emplace(*this, HeapKind::host, group_->user(my_pe()) + library_bytes(),
                     group_->area().heap_bytes() - library_bytes(), blocks_.get());
  register_with_runtime(0, group_->area().host_bytes(), false);
  reset_op_counts();
  make_current();
  if (kernel_side().set_remote_bell != nullptr) {
    kernel_side().set_remote_bell(&bell());
  }
  begin_lending();
  give_back_free_memory();
  if (plan_.all_near()) {
    sync();
    return {};
  }
  // By the launcher's means: a job that sends nothing to other hosts opens no network.
  return bootstrap_->barrier();
}

// What meeting took for a while grows with the job, and lies between what stays: all PEs together would keep it n times.
void World::give_back_free_memory() {
#ifdef __GLIBC__
  // In turn: with another allocator in malloc's place glibc's own is set up here, which two threads must not do at once.
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  (void)::malloc_trim(0);
#endif
}

uint64_t World::library_bytes() const { return granules(TeamArea::all_bytes(n_pes()) + sizeof(WriteLog)); }

// The debug mode is the job's: what members tell each other, all must tell.
void World::make_guard() {
  const bool debug = std::any_of(cards_.begin(), cards_.end(), [](const Card& card) { return card.debug; });
  heap_report_ = options_.heap_report ? *options_.heap_report : env::flag("CANOPY_HEAP_REPORT", false);
  if (debug || heap_report_) {
    blocks_ = std::make_unique<BlockBook>();
  }
  if (debug) {
    const uint64_t offset = TeamArea::all_bytes(n_pes());
    guard_ = std::make_unique<Guard>(*this, *blocks_, *reinterpret_cast<WriteLog*>(hot_.base + offset), offset);
  }
}

void World::make_current() {
  if (guard_ != nullptr) {
    front_hot_ = front_.of(hot_);
  }
  set_current(guard_ != nullptr ? &front_hot_ : &hot_, options_.for_thread);
}

Result<Card> World::make_card() {
  Card card = card_of_this_process();
  // PEs that are threads find each other inside the process and need no broker.
  if (n_pes() > 1 && bootstrap_->kind() != "threads") {
    CANOPY_ASSIGN(broker_, Broker::start([this](uint64_t pe) {
                    deaths_.on_local_death(static_cast<int>(pe));
                  }));
    card.broker = broker_->name();
  }
  CANOPY_ASSIGN(const HeapWish wish, options_.heap_bytes
                                         ? Result<HeapWish>(HeapWish{*options_.heap_bytes, true})
                                         : wanted_heap(env::local_ranks()));
  card.heap_bytes = library_bytes() + granules(wish.bytes);
  card.heap_by_user = wish.by_user;
  card.control_nonce = random_id();
  card.debug = options_.debug;
  card.way = wish_.way;
  if (wish_.pes_per_host > 0) {
    card.divided = true;
    card.division = static_cast<uint32_t>(my_pe() / wish_.pes_per_host);
  }

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
  CANOPY_TRY(publish_globals(&card));
  return card;
}

// PEs that are threads share the globals of their process: those are symmetric to nothing.
Result<> World::publish_globals(Card* card) {
  CANOPY_TRY(check_globals());
  const Globals& globals = process_globals();
  if (globals.base == 0 || bootstrap_->kind() == "threads") {
    return {};
  }
  const UniqueFd fd(::fcntl(globals.fd, F_DUPFD_CLOEXEC, 0));
  if (!fd) {
    return fail_errno(Errc::limit, errno, "cannot duplicate the descriptor of the globals");
  }
  CANOPY_TRY(publish(&card->globals_id, fd, globals.bytes));
  card->globals_bytes = globals.bytes;
  card->globals_identity = globals.identity;
  return {};
}

// The same on all PEs: 0 when not all run one executable that has them.
uint64_t World::agreed_globals() {
  const Card& first = cards_.front();
  for (const Card& card : cards_) {
    if (card.globals_bytes != first.globals_bytes || card.globals_identity != first.globals_identity) {
      const size_t pe = static_cast<size_t>(&card - cards_.data());
      globals_differ_ = fmt::format("globals and statics are not symmetric, because PE {} runs another executable than PE 0", pe);
      return 0;
    }
  }
  if (first.globals_bytes == 0) {
    globals_differ_ =
        "globals and statics are symmetric in executables that oshcc or oshc++ links";
  }
  return first.globals_bytes;
}

Result<> World::meet_all(const Card& mine) {
  CANOPY_ASSIGN(const auto packed, bootstrap_->exchange(mine.pack()));
  if (packed.size() != hot_.n_pes) {
    return fail(Errc::internal, "pe {}: {} cards came for {} PEs", my_pe(), packed.size(), n_pes());
  }
  cards_.reserve(packed.size());
  for (int pe = 0; pe < n_pes(); ++pe) {
    CANOPY_ASSIGN(Card card, Card::unpack(packed[static_cast<size_t>(pe)], pe));
    cards_.push_back(std::move(card));
  }
  return {};
}

// Offsets are common to all hosts, so the heap has the least size that any PE wants.
Result<> World::map_peers() {
  const auto least =
      std::min_element(cards_.begin(), cards_.end(),
                       [](const Card& a, const Card& b) { return a.heap_bytes < b.heap_bytes; });
  if (least->heap_by_user) {
    const Card& me = cards_[static_cast<size_t>(my_pe())];
    const auto here = std::count_if(cards_.begin(), cards_.end(), [&](const Card& card) {
      return card.boot_id == me.boot_id && card.host == me.host;
    });
    CANOPY_TRY(check_heap_fits(least->heap_bytes - library_bytes(), static_cast<int>(here), my_pe(),
                               "SHMEM_SYMMETRIC_SIZE"));
  }
  const uint64_t globals = agreed_globals();
  if (process_leader() == my_pe()) {
    const uint64_t room = std::max(granules(options_.device_heap_bytes), default_device_heap());
    CANOPY_ASSIGN(group_,
                  LocalGroup::build(cards_, my_pe(), broker_.get(), least->heap_bytes, globals, room));
  }
  return {};
}

// Where all PEs' meeting of `pe` is.
Leader World::meeting_place(int pe) const {
  const bool direct = plan_.mapped(my_pe(), pe) && (far_ == nullptr || far_->way_to(pe) == nullptr);
  return {pe, direct || pe == my_pe() ? &control(pe).meeting : nullptr,
          {pe, FarPaths::kControlPage, offsetof(ControlPage, meeting)}};
}

void World::barrier_all() {
  if (far_ != nullptr) {
    far_quiet(hot_, "barrier_all");
  }
  gathering_.sync(*this, "barrier_all");
}

std::string World::why(int pe) const {
  switch (plan_.path(my_pe(), pe)) {
    case Path::self:
      return "self";
    case Path::mapped:
      return fmt::format("mapped: {}", group_->why(card(pe), pe));
    case Path::posted_mapped:
      return fmt::format("{}, as the environment wishes; {}", posted_->why(pe),
                         group_->why(card(pe), pe));
    case Path::ofi:
      break;
  }
  std::string reason = "it could not map this PE";
  if (!group_->maps(pe)) {
    reason = group_->why(card(pe), pe);
  } else if (plan_.mapped(my_pe(), pe)) {
    reason = "as the environment wishes";
  }
  return fmt::format("{}; {}", network_->why(pe), reason);
}

Result<> World::agree_on(const Result<>& mine) {
  const std::string text = mine ? std::string() : fmt::format("!{}", error_text::newest());
  CANOPY_ASSIGN(const auto all, bootstrap_->exchange(text));
  CANOPY_TRY(mine);
  for (size_t pe = 0; pe < all.size(); ++pe) {
    if (!all[pe].empty()) {
      return failed_there(static_cast<int>(pe), std::string_view(all[pe]).substr(1));
    }
  }
  return {};
}

tl::unexpected<Error> World::failed_there(int pe, std::string_view sentence) const {
  return fail(Errc::peer_lost, "pe {}: PE {} failed: {}", my_pe(), pe, after_speaker(sentence, fmt::format("pe {}", pe)));
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

std::vector<int> World::mapped_pes() const {
  std::vector<int> pes;
  for (int pe = 0; pe < n_pes(); ++pe) {
    if (plan_.mapped(my_pe(), pe)) {
      pes.push_back(pe);
    }
  }
  return pes;
}

void World::wait_until_left(const std::vector<int>& pes) {
  size_t missing = 0;
  const auto all_left = [&] {
    // Acquire: pairs with the release in finalize().
    while (missing < pes.size() && load_acquire(&control(pes[missing]).leaving) != 0) {
      ++missing;
    }
    return missing == pes.size();
  };
  wait_for(*this, bell(), all_left, WakenBy::ours, "finalize",
           [&] { return fmt::format("pe {} waits in finalize for PE {}", my_pe(), pes[missing]); });
}

Result<> World::finalize() {
  if (std::exchange(finalized_, true)) {
    return {};
  }
  contexts_.destroy_all("finalize");
  end_lending();
  if (far_ != nullptr) {
    far_quiet(hot_, "finalize");
  }
  store_load_fence();
  const std::vector<int> host = mapped_pes();
  // Release: everything this PE did; pairs with the acquire of those who wait for it to leave.
  store_release(&control(my_pe()).leaving, 1);
  for (const int pe : host) {
    control(pe).bell.ring(BellScope::host);
  }
  const auto& group = plan_.groups()[static_cast<size_t>(plan_.group_of(my_pe()))];
  wait_until_left(group);
  if (!plan_.all_near() && group.front() == my_pe() && !deaths_.tell_departure()) {
    gathering_.far_barrier().announce_leaving(*this);
    if (far_ != nullptr) {
      far_quiet(hot_, "finalize");
    }
  }
  wait_until_left(host);
  // From here on a PE of this host may go as it likes.
  deaths_.expect_departures();
  if (kernel_side().set_remote_bell != nullptr) {
    kernel_side().set_remote_bell(nullptr);
  }
  report_heaps();
  if (broker_ != nullptr) {
    for (const int pe : host) {
      if (card(pe).has_broker() && pe != my_pe()) {
        broker_->disconnect(card(pe).broker.address());
      }
    }
  }
  // PEs of other hosts may still need us: the transports serve them until all have left.
  if (far_ != nullptr) {
    far_->rest();
  }
  CANOPY_TRY(bootstrap_->finalize());
  deaths_.stop();
  if (current_world() == this) {
    set_current(nullptr, options_.for_thread);
  }
  return {};
}

// Blocks are the same on all PEs: one tells.
void World::report_heaps() const {
  const HeapInfo host = host_heap_->info();
  const HeapInfo device = device_heap_ ? device_heap_->info() : HeapInfo();
  const uint64_t blocks = host.live_blocks + device.live_blocks;
  if (!heap_report_ || my_pe() != 0) {
    if (blocks != 0) {
      log(LogLevel::info, "finalize: {} blocks of the symmetric heap were never freed", blocks);
    }
    return;
  }
  const uint64_t used = host.bytes - host.free_bytes + device.bytes - device.free_bytes;
  report(fmt::format("heap report at finalize: {} live blocks in {} of {} bytes{}", blocks, used, host.bytes + device.bytes,
                     blocks_->live_text()));
}

void World::global_exit(int status) {
  deaths_.fall_silent();
  deaths_.speak_for_host();  // the launcher ends the others now: none of them died
  std::fflush(nullptr);
  bootstrap_->abort(status, "");
  ::_exit(status);
}

void World::fail_job(int status, const std::string& sentence) {
  // The caller's own mistakes, and waits that never end, have a place in the program.
  const bool placed = status == kMisuseStatus || status == kTimeoutStatus;
  const std::string caller = placed ? call_site().suffix() : "";
  deaths_.speak_for_host();
  report(sentence + caller);
  global_exit(status);
}

void World::far_failed(int pe, const char* routine, Errc code) {
  const std::string loss = deaths_.loss_of(pe);
  const std::string cause = loss.empty() ? error_text::newest() : loss;
  const std::string whom =
      pe < 0 ? std::string() : fmt::format(" to PE {} on host {}", pe, card(pe).host.text());
  const std::string sentence =
      fmt::format("pe {}: {}{} failed: {}; the job ends", my_pe(), routine, whom, cause);
  if (code == Errc::peer_lost || !loss.empty()) {
    deaths_.operation_failed(sentence);
  }
  fail_job(kPeerLostStatus, sentence);
}

void World::left_early(const char* routine, int pe) {
  deaths_.waits_in_vain(fmt::format("pe {} waits in {} for PE {}, which has finalized or ended already{}", my_pe(), routine,
                                    pe, call_site().suffix()));
}

}  // namespace canopy::shmem
