#include "shmem/world/local_group.h"

#include "shmem/world/path_plan.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <mutex>

namespace canopy::shmem {
namespace {

struct Offers {
  std::mutex mutex;                                      // guards both maps
  std::map<uint64_t, FetchedMemory> memory;              // by id
  std::map<uint64_t, std::weak_ptr<LocalGroup>> groups;  // by the leader's control nonce
};

Offers& offers() {
  static Offers* instance = new Offers;
  return *instance;
}

Result<UniqueFd> duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) {
    return fail_errno(Errc::limit, errno, "cannot duplicate the descriptor of symmetric memory");
  }
  return copy;
}

// A failed step of the proof, with what it said.
std::string failed(const char* step) {
  const std::string cause = error_text::take_newest();
  return fmt::format("{} failed: {}", step, cause.empty() ? "no further text" : cause);
}

}  // namespace

Result<> offer_in_process(uint64_t id, const UniqueFd& fd, uint64_t bytes) {
  CANOPY_ASSIGN(UniqueFd copy, duplicate(fd));
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  o.memory[id] = FetchedMemory{std::move(copy), bytes};
  return {};
}

void withdraw_in_process(uint64_t id) {
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  o.memory.erase(id);
}

Result<FetchedMemory> fetch_in_process(uint64_t id) {
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  const auto found = o.memory.find(id);
  if (found == o.memory.end()) {
    return fail(Errc::not_found, "no PE of this process offers memory {:#x}", id);
  }
  CANOPY_ASSIGN(UniqueFd copy, duplicate(found->second.fd));
  return FetchedMemory{std::move(copy), found->second.bytes};
}

int LocalGroup::leader_of(const std::vector<Card>& cards, int pe) {
  const Card& card = cards[static_cast<size_t>(pe)];
  int leader = 0;
  while (cards[static_cast<size_t>(leader)].process_nonce != card.process_nonce ||
         !PathPlan::may_map(cards[static_cast<size_t>(leader)], card)) {
    ++leader;
  }
  return leader;
}

Result<std::shared_ptr<LocalGroup>> LocalGroup::build(const std::vector<Card>& cards, int my_pe,
                                                      Broker* broker, uint64_t heap_bytes, uint64_t globals_bytes,
                                                      uint64_t device_room) {
  auto group = std::make_shared<LocalGroup>();
  group->slots_.assign(cards.size(), -1);
  const Card& me = cards[static_cast<size_t>(my_pe)];
  group->process_nonce_ = me.process_nonce;
  int slots = 0;
  for (size_t pe = 0; pe < cards.size(); ++pe) {
    if (PathPlan::may_map(me, cards[pe])) {
      group->slots_[pe] = slots++;
    } else if (cards[pe].boot_id != me.boot_id) {
      group->why_not_[static_cast<int>(pe)] =
          fmt::format("it runs on host {} and this is host {} (their boot ids differ)",
                      cards[pe].host.text(), me.host.text());
    } else {
      group->why_not_[static_cast<int>(pe)] =
          fmt::format("CANOPY_PES_PER_HOST puts it on host {} and this PE on host {}", cards[pe].division, me.division);
    }
  }
  CANOPY_ASSIGN(group->area_, SlotArea::reserve(slots, heap_bytes, globals_bytes, device_room));
  for (size_t pe = 0; pe < cards.size(); ++pe) {
    if (group->slots_[pe] < 0) {
      continue;
    }
    auto reason = group->map_peer(cards, my_pe, static_cast<int>(pe), broker);
    if (!reason) {
      continue;
    }
    if (static_cast<int>(pe) == my_pe) {
      return fail(Errc::internal, "pe {}: its own memory: {}", my_pe, *reason);
    }
    group->why_not_[static_cast<int>(pe)] = std::move(*reason);
    group->slots_[pe] = -1;
    group->missed_.push_back(static_cast<int>(pe));
  }
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  std::erase_if(o.groups, [](const auto& entry) { return entry.second.expired(); });
  o.groups[me.control_nonce] = group;
  return group;
}

Result<std::shared_ptr<LocalGroup>> LocalGroup::find(const Card& leader) {
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  const auto found = o.groups.find(leader.control_nonce);
  auto group = found == o.groups.end() ? nullptr : found->second.lock();
  if (group == nullptr) {
    return fail(Errc::internal, "the leader of process {} has not mapped its peers", leader.pid);
  }
  return group;
}

std::optional<std::string> LocalGroup::map_peer(const std::vector<Card>& cards, int my_pe, int pe,
                                                Broker* broker) {
  const Card& card = cards[static_cast<size_t>(pe)];
  const bool here = card.process_nonce == cards[static_cast<size_t>(my_pe)].process_nonce;
  const std::string address = card.broker.address();
  if (!here) {
    if (broker == nullptr || !card.has_broker()) {
      return "it is another process, and there is no broker";
    }
    if (!broker->connect(address, static_cast<uint64_t>(pe))) {
      return failed("connecting to its broker");
    }
  }
  const auto attempt = [&]() -> std::optional<std::string> {
    const auto fetch = [&](uint64_t id) {
      return here ? fetch_in_process(id) : broker->fetch(address, id);
    };
    auto control = fetch(card.control_id);
    if (!control || control->bytes < SlotArea::control_bytes()) {
      return failed("fetching its control page");
    }
    auto heap = fetch(card.heap_id);
    if (!heap || heap->bytes < area_.heap_bytes()) {
      return failed("fetching its symmetric heap");
    }
    const int slot = slots_[static_cast<size_t>(pe)];
    if (!area_.place_control(slot, control->fd) || !area_.place_host(slot, heap->fd)) {
      return failed("mapping its memory");
    }
    if (area_.globals_bytes() != 0) {
      auto globals = fetch(card.globals_id);
      if (!globals || globals->bytes < area_.globals_bytes()) {
        return failed("fetching its globals");
      }
      if (!area_.place_globals(slot, globals->fd)) {
        return failed("mapping its globals");
      }
    }
    const ControlPage& page = *area_.control(slot);
    if (page.magic != ControlPage::kMagic || page.version != ControlPage::kVersion ||
        page.bytes != sizeof(ControlPage) || page.nonce != card.control_nonce) {
      return failed("finding its nonce in its control page");
    }
    return std::nullopt;
  };
  auto reason = attempt();
  if (reason && !here) {
    broker->disconnect(address);  // who is not mapped is watched in another way
  }
  return reason;
}

std::string LocalGroup::why(const Card& card, int pe) const {
  if (const auto reason = why_not_.find(pe); reason != why_not_.end()) {
    return reason->second;
  }
  if (card.process_nonce == process_nonce_) {
    return fmt::format("a thread of this process (pid {})", card.pid);
  }
  return fmt::format("same boot id, fetched from pid {} through broker {}, nonce agrees", card.pid, card.broker.address());
}

Result<> LocalGroup::map_device_heaps(const std::vector<Card>& cards, int my_pe, Broker* broker,
                                      const std::vector<int>& wanted,
                                      const std::vector<uint64_t>& ids, uint64_t bytes) {
  const uint64_t process = cards[static_cast<size_t>(my_pe)].process_nonce;
  for (const int pe : wanted) {
    const Card& card = cards[static_cast<size_t>(pe)];
    const uint64_t id = ids[static_cast<size_t>(pe)];
    auto memory =
        card.process_nonce == process ? fetch_in_process(id) : broker->fetch(card.broker.address(), id);
    const char* step = nullptr;
    if (!memory || memory->bytes < bytes) {
      step = "fetching its device heap";
    } else if (!area_.place_device(slots_[static_cast<size_t>(pe)], memory->fd, bytes)) {
      step = "mapping its device heap";
    }
    if (step != nullptr) {
      return fail(Errc::not_supported, "pe {}: PE {} (pid {} on host {}): {}", my_pe, pe, card.pid,
                  card.host.text(), failed(step));
    }
  }
  return {};
}

}  // namespace canopy::shmem
