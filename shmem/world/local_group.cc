#include "shmem/world/local_group.h"

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

// What every failed step of the proof ends with.
tl::unexpected<Error> unreachable(int my_pe, int pe, const Card& card, const char* step) {
  const std::string cause = error_text::take_newest();
  return fail(Errc::not_supported,
              "pe {} cannot reach PE {} (pid {} on host {}): {} failed: {}. A path off the host is "
              "not built "
              "yet: all PEs must share one host, user and network namespace",
              my_pe, pe, card.pid, card.host, step, cause.empty() ? "no further text" : cause);
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
  const uint64_t process = cards[static_cast<size_t>(pe)].process_nonce;
  int leader = 0;
  while (cards[static_cast<size_t>(leader)].process_nonce != process) {
    ++leader;
  }
  return leader;
}

Result<std::shared_ptr<LocalGroup>> LocalGroup::build(const std::vector<Card>& cards, int my_pe,
                                                      Broker* broker, uint64_t heap_bytes,
                                                      uint64_t device_room) {
  auto group = std::make_shared<LocalGroup>();
  const int n_pes = static_cast<int>(cards.size());
  group->why_.resize(cards.size());
  CANOPY_ASSIGN(group->area_, SlotArea::reserve(n_pes, heap_bytes, device_room));
  for (int pe = 0; pe < n_pes; ++pe) {
    CANOPY_TRY(group->map_peer(cards, my_pe, pe, broker));
  }
  Offers& o = offers();
  std::lock_guard lock(o.mutex);
  std::erase_if(o.groups, [](const auto& entry) { return entry.second.expired(); });
  o.groups[cards[static_cast<size_t>(my_pe)].control_nonce] = group;
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

Result<> LocalGroup::map_peer(const std::vector<Card>& cards, int my_pe, int pe, Broker* broker) {
  const Card& me = cards[static_cast<size_t>(my_pe)];
  const Card& card = cards[static_cast<size_t>(pe)];
  const bool here = card.process_nonce == me.process_nonce;
  if (card.boot_id != me.boot_id) {
    return fail(Errc::not_supported,
                "pe {} cannot reach PE {}: it runs on host {} and this is host {} (their boot ids "
                "differ), and a "
                "path off the host is not built yet",
                my_pe, pe, card.host, me.host);
  }
  if (!here) {
    if (broker == nullptr || card.broker.empty()) {
      return fail(Errc::internal, "pe {}: PE {} is another process, and there is no broker", my_pe,
                  pe);
    }
    if (!broker->connect(card.broker, static_cast<uint64_t>(pe))) {
      return unreachable(my_pe, pe, card, "connecting to its broker");
    }
  }
  const auto fetch = [&](uint64_t id) {
    return here ? fetch_in_process(id) : broker->fetch(card.broker, id);
  };
  auto control = fetch(card.control_id);
  if (!control || control->bytes < SlotArea::control_bytes()) {
    return unreachable(my_pe, pe, card, "fetching its control page");
  }
  auto heap = fetch(card.heap_id);
  if (!heap || heap->bytes < area_.host_bytes()) {
    return unreachable(my_pe, pe, card, "fetching its symmetric heap");
  }
  if (!area_.place_control(pe, control->fd) || !area_.place_host(pe, heap->fd)) {
    return unreachable(my_pe, pe, card, "mapping its memory");
  }
  const ControlPage& page = *area_.control(pe);
  if (page.magic != ControlPage::kMagic || page.version != ControlPage::kVersion ||
      page.bytes != sizeof(ControlPage) || page.nonce != card.control_nonce) {
    return unreachable(my_pe, pe, card, "finding its nonce in its control page");
  }
  auto& why = why_[static_cast<size_t>(pe)];
  if (here) {
    why = fmt::format("mapped: a thread of this process (pid {})", card.pid);
  } else {
    why = fmt::format("mapped: same boot id, fetched from pid {} through broker {}, nonce agrees",
                      card.pid, card.broker);
  }
  return {};
}

Result<> LocalGroup::map_device_heaps(const std::vector<Card>& cards, int my_pe, Broker* broker,
                                      const std::vector<uint64_t>& ids, uint64_t bytes) {
  const uint64_t process = cards[static_cast<size_t>(my_pe)].process_nonce;
  for (size_t pe = 0; pe < cards.size(); ++pe) {
    const Card& card = cards[pe];
    auto memory = card.process_nonce == process ? fetch_in_process(ids[pe])
                                                : broker->fetch(card.broker, ids[pe]);
    if (!memory || memory->bytes < bytes) {
      return unreachable(my_pe, static_cast<int>(pe), card, "fetching its device heap");
    }
    if (!area_.place_device(static_cast<int>(pe), memory->fd, bytes)) {
      return unreachable(my_pe, static_cast<int>(pe), card, "mapping its device heap");
    }
  }
  return {};
}

}  // namespace canopy::shmem
