// World, the part that finds out which way leads to whom: after the cards, one exchange of what
// each PE found. A second one is needed only when two PEs of a host could not map each other on one
// side alone.
#include "runtime/base/log.h"
#include "shmem/world/globals.h"
#include "shmem/world/world.h"
#include "transport/far/far_transport.h"
#include "transport/faulty/faulty_transport.h"
#include "transport/mapped/mapped_transport.h"

#include <algorithm>

namespace canopy::shmem {
namespace {

using transport::FaultPlan;
using transport::FaultyTransport;

constexpr uint64_t kSeedBits = 0xFFFFFFFF;  // short enough to type again

}  // namespace

int World::process_leader() const { return LocalGroup::leader_of(cards_, my_pe()); }

// What is known before the others' findings: who may not be mapped, and whom we could not map.
PathPlan World::own_view() const {
  std::vector<std::vector<int>> missed(cards_.size());
  if (group_ != nullptr) {
    missed[static_cast<size_t>(my_pe())] = group_->missed();
  }
  return PathPlan(cards_, std::move(missed));
}

bool World::needs_network(const PathPlan& plan) const {
  for (int pe = 0; pe < n_pes(); ++pe) {
    if (plan.path(my_pe(), pe) == Path::ofi) {
      return true;
    }
  }
  return false;
}

// The seed is the job's, so that one line replays it: PE 0's random number when the user named
// none.
Result<FaultPlan> World::fault_plan() const {
  CANOPY_ASSIGN(FaultPlan plan, FaultPlan::parse(*wish_.faulty));
  if (!plan.seeded) {
    plan.seed = cards_[0].control_nonce & kSeedBits;
  }
  return plan;
}

Result<std::unique_ptr<transport::Transport>> World::with_faults(
    std::unique_ptr<transport::Transport> inner) {
  CANOPY_ASSIGN(const FaultPlan plan, fault_plan());
  if (my_pe() == 0) {
    log(LogLevel::warn, "faults on the way ({}): CANOPY_FAULTY={}", inner->capabilities().name,
        plan.text());
  }
  auto faulty = std::make_unique<FaultyTransport>(std::move(inner), plan, my_pe());
  // Over mapped memory nobody else rings the peer's bell.
  if (faulty->inner().capabilities().direct) {
    faulty->on_delivery([this](int pe) { control(pe).bell.ring(BellScope::host); });
  }
  return std::unique_ptr<transport::Transport>(std::move(faulty));
}

// Makes the transports that `plan` needs, and what the others need to reach us.
Result<> World::open_far_paths(const PathPlan& plan, Findings* mine) {
  if (needs_network(plan) && network_ == nullptr) {
    CANOPY_ASSIGN(auto doors, transport::far::FarTransport::open({}));
    transport::far::FarTransport& behind = *doors;
    std::unique_ptr<transport::Transport> network = std::move(doors);
    if (wish_.faulty) {
      CANOPY_ASSIGN(network, with_faults(std::move(network)));
    }
    network_ = &add_far(std::move(network));
    lending_ = std::make_shared<Lending>(*this, job_number(), behind, *network_);
  }
  if (network_ != nullptr) {
    CANOPY_ASSIGN(mine->transport_address, network_->address());
  }
  return {};
}

// What others may reach of ours. The keys are told with the first operation (transport/far).
Result<> World::register_regions() {
  if (network_ == nullptr || group_ == nullptr) {
    return {};
  }
  CANOPY_TRY(network_->register_region(FarPaths::kHostHeap,
                                       {group_->user(my_pe()), group_->area().host_bytes()}));
  CANOPY_TRY(network_->register_region(
      FarPaths::kControlPage,
      {reinterpret_cast<std::byte*>(&control(my_pe())), sizeof(ControlPage)}));
  return {};
}

Result<> World::open_watch(const PathPlan& plan, std::unique_ptr<HostWatch>* watch,
                           Findings* mine) {
  const auto& hosts = plan.hosts();
  const auto& own = hosts[static_cast<size_t>(plan.host_of(my_pe()))];
  if (hosts.size() > 1 && own.front() == my_pe() && *watch == nullptr) {
    CANOPY_ASSIGN(*watch, HostWatch::listen());
  }
  if (*watch != nullptr) {
    mine->watch_address = (*watch)->address();
  }
  return {};
}

Result<std::vector<Findings>> World::exchange_findings(const Findings& mine) {
  CANOPY_ASSIGN(const auto packed, bootstrap_->exchange(mine.pack()));
  std::vector<Findings> all;
  for (size_t pe = 0; pe < packed.size(); ++pe) {
    CANOPY_ASSIGN(Findings one, Findings::unpack(packed[pe], static_cast<int>(pe)));
    // Who has failed itself says that, and not what others say of themselves.
    if (mine.error.empty() && !one.error.empty()) {
      return failed_there(static_cast<int>(pe), one.error);
    }
    all.push_back(std::move(one));
  }
  return all;
}

// True when somebody has to be reached at an address that it has not told.
bool World::lacks_addresses(const std::vector<Findings>& all) const {
  for (int pe = 0; pe < n_pes(); ++pe) {
    if (!all[static_cast<size_t>(pe)].transport_address.empty()) {
      continue;
    }
    for (int other = 0; other < n_pes(); ++other) {
      if (plan_.path(other, pe) == Path::ofi) {
        return true;
      }
    }
  }
  const auto& hosts = plan_.hosts();
  return hosts.size() > 1 && std::any_of(hosts.begin(), hosts.end(), [&](const auto& members) {
           return all[static_cast<size_t>(members.front())].watch_address.empty();
         });
}

Result<> World::wire_up(const Result<>& so_far) {
  std::unique_ptr<HostWatch> watch;
  Findings mine;
  const auto find = [&](const PathPlan& plan) -> Result<> {
    CANOPY_TRY(so_far);
    if (group_ != nullptr) {
      mine.missed = group_->missed();
    }
    CANOPY_TRY(open_far_paths(plan, &mine));
    CANOPY_TRY(register_regions());
    return open_watch(plan, &watch, &mine);
  };
  const Result<> found = find(own_view());
  if (!found) {
    mine.error = error_text::newest();
  }
  CANOPY_ASSIGN(std::vector<Findings> all, exchange_findings(mine));
  CANOPY_TRY(found);

  // Only now is it certain that the leader of this process has mapped everything.
  if (group_ == nullptr) {
    CANOPY_ASSIGN(group_, LocalGroup::find(cards_[static_cast<size_t>(process_leader())]));
    CANOPY_TRY(register_regions());
  }
  std::vector<std::vector<int>> missed;
  for (Findings& findings : all) {
    missed.push_back(std::move(findings.missed));
  }
  plan_ = PathPlan(cards_, std::move(missed));
  CANOPY_TRY(check_wish());
  if (lacks_addresses(all)) {
    const bool fresh = network_ == nullptr;
    CANOPY_TRY(open_far_paths(plan_, &mine));
    if (fresh) {
      CANOPY_TRY(register_regions());
    }
    CANOPY_TRY(open_watch(plan_, &watch, &mine));
    CANOPY_ASSIGN(all, exchange_findings(mine));
  }
  CANOPY_TRY(connect_paths(all));
  // PEs that are threads register their memory late: nobody knocks before all have.
  if (!plan_.all_near() && bootstrap_->kind() == "threads") {
    CANOPY_TRY(bootstrap_->barrier());
  }
  return watch_hosts(std::move(watch), all);
}

// CANOPY_PATH=mapped leaves no way out.
Result<> World::check_wish() const {
  for (int pe = 0; pe < n_pes(); ++pe) {
    if (wish_.way == PathWay::mapped && !plan_.mapped(my_pe(), pe)) {
      return fail(Errc::not_supported, "pe {}: CANOPY_PATH=mapped, but PE {} cannot be mapped: {}",
                  my_pe(), pe, group_->why(card(pe), pe));
    }
  }
  return {};
}

Result<> World::watch_hosts(std::unique_ptr<HostWatch> watch, const std::vector<Findings>& all) {
  std::vector<std::string> addresses;
  for (const auto& members : plan_.hosts()) {
    addresses.push_back(all[static_cast<size_t>(members.front())].watch_address);
  }
  const auto& own = plan_.hosts()[static_cast<size_t>(plan_.host_of(my_pe()))];
  if (own.front() != my_pe()) {
    watch.reset();  // it turned out that somebody else leads
  }
  return deaths_.start(std::move(watch), std::move(addresses));
}

// Fills the peer table.
Result<> World::connect_paths(const std::vector<Findings>& all) {
  for (const Findings& findings : all) {
    addresses_.push_back(findings.transport_address);
  }
  const uint64_t bytes = group_->area().host_bytes();
  const std::span<std::byte> mine{group_->user(my_pe()), bytes};
  CANOPY_TRY(self_.register_region(FarPaths::kHostHeap, mine));
  CANOPY_TRY(mapped_.register_region(FarPaths::kHostHeap, mine));
  peers_.resize(hot_.n_pes);
  for (int pe = 0; pe < n_pes(); ++pe) {
    const Path path = plan_.path(my_pe(), pe);
    PeerEntry& entry = peers_[static_cast<size_t>(pe)];
    if (path == Path::ofi || path == Path::posted_mapped) {
      CANOPY_ASSIGN(transport::Transport * way,
                    path == Path::ofi ? Result<transport::Transport*>(network_) : posted_path());
      far_->set_way(pe, *way);
      const bool mapped = path == Path::posted_mapped;
      const transport::PeerRegion regions[] = {
          {.id = FarPaths::kHostHeap,
           .bytes = bytes,
           .mapped_at = mapped ? group_->user(pe) : nullptr},
          {.id = FarPaths::kControlPage,
           .bytes = sizeof(ControlPage),
           .mapped_at = mapped ? reinterpret_cast<std::byte*>(&control(pe)) : nullptr}};
      CANOPY_TRY(way->connect(pe, addresses_[static_cast<size_t>(pe)], regions));
      // Our own memory is ours whatever the path to it is.
      entry.base = pe == my_pe() ? reinterpret_cast<uintptr_t>(mine.data()) : 0;
      entry.bell = &bell();
      continue;
    }
    const transport::PeerRegion region{
        .id = FarPaths::kHostHeap, .bytes = bytes, .mapped_at = group_->user(pe), .key = {}};
    transport::Transport& way =
        path == Path::self ? static_cast<transport::Transport&>(self_) : mapped_;
    CANOPY_TRY(way.connect(pe, "", {&region, 1}));
    // Asked once: afterwards the table is the path.
    const auto base = way.direct(pe, FarPaths::kHostHeap);
    if (!base) {
      return fail(Errc::internal, "pe {}: the {} path to PE {} has no address", my_pe(),
                  way.capabilities().name, pe);
    }
    entry = {reinterpret_cast<uintptr_t>(*base), bytes, &control(pe).bell};
  }
  hot_.peers = peers_.data();
  hot_.base = reinterpret_cast<uintptr_t>(mine.data());
  hot_.bytes = bytes;
  if (group_->area().globals_bytes() != 0) {
    hot_.globals = process_globals().base;
    hot_.globals_bytes = group_->area().globals_bytes();
    hot_.globals_at = hot_.base + group_->area().heap_bytes();
  }
  hot_.far = far_.get();
  if (far_ != nullptr) {
    far_->set_layout(bytes, group_->area().device_offset(), 0);
  }
  return {};
}

// The transport for posted operations on mapped memory.
Result<transport::Transport*> World::posted_path() {
  if (posted_ == nullptr) {
    CANOPY_ASSIGN(std::unique_ptr<transport::Transport> posted,
                  with_faults(std::make_unique<transport::MappedTransport>()));
    posted_ = &add_far(std::move(posted));
  }
  return posted_;
}

transport::Transport& World::add_far(std::unique_ptr<transport::Transport> transport) {
  transport->on_arrival([this] { bell().ring(BellScope::host); });
  transport->on_error(
      [this](int pe, Errc, std::string_view sentence) { deaths_.on_transport_loss(pe, sentence); });
  if (far_ == nullptr) {
    far_ = std::make_unique<FarPaths>(*this, n_pes());
  }
  return far_->add(std::move(transport));
}

}  // namespace canopy::shmem
