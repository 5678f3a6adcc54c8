// LocalGroup: the memory of those PEs of this host that may be mapped, as this process sees it.
// Built once per process and job by the process's lowest PE (its leader), and shared by the Worlds
// of the process: PEs that are threads of one process see each other's memory at the same
// addresses, so that a race detector sees them race.
//
// Building it is the proof that PEs are on one host: connect to the peer's broker, fetch its
// control page and heap, map them, and find the nonce of its card in the page. A step that fails is
// no error: that PE is missed, and why(pe) names the step.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/broker.h"
#include "shmem/world/card.h"
#include "shmem/world/slot_area.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace canopy::shmem {

class LocalGroup {
 public:
  // The leader's call. `broker` may be null when all cards are of this process; it watches every
  // peer of another process from now on, with the PE as its tag.
  static Result<std::shared_ptr<LocalGroup>> build(const std::vector<Card>& cards, int my_pe,
                                                   Broker* broker, uint64_t heap_bytes, uint64_t globals_bytes,
                                                   uint64_t device_room);
  // The calls of the process's other PEs, after the leader has built it; the leader's card names
  // it.
  static Result<std::shared_ptr<LocalGroup>> find(const Card& leader);

  // The lowest PE of the process of `pe` that maps what `pe` needs.
  static int leader_of(const std::vector<Card>& cards, int pe);

  bool maps(int pe) const { return slots_[static_cast<size_t>(pe)] >= 0; }
  // REQUIRES: maps(pe).
  ControlPage* control(int pe) const { return area_.control(slots_[static_cast<size_t>(pe)]); }
  std::byte* user(int pe) const { return area_.user(slots_[static_cast<size_t>(pe)]); }
  const SlotArea& area() const { return area_; }
  // PEs that should have been mapped, and could not.
  const std::vector<int>& missed() const { return missed_; }
  // What was done to map the PE of `card`, or why not. Made when somebody asks: a text per PE is memory.
  std::string why(const Card& card, int pe) const;

  // Maps the device heaps with these ids, one per PE, of the PEs that `wanted` names. The leader's
  // call.
  Result<> map_device_heaps(const std::vector<Card>& cards, int my_pe, Broker* broker,
                            const std::vector<int>& wanted, const std::vector<uint64_t>& ids,
                            uint64_t bytes);

 private:
  // The step that failed, with its reason; nothing when all went well.
  std::optional<std::string> map_peer(const std::vector<Card>& cards, int my_pe, int pe,
                                      Broker* broker);

  SlotArea area_;
  std::vector<int> slots_;  // by PE; -1: not mapped
  std::vector<int> missed_;
  std::map<int, std::string> why_not_;  // of PEs that are not mapped
  uint64_t process_nonce_ = 0;
};

// Memory that a PE of this process offers to the leader of its process, under the id that its card
// names. What was offered stays valid until withdrawn. Thread-safe.
Result<> offer_in_process(uint64_t id, const UniqueFd& fd, uint64_t bytes);
void withdraw_in_process(uint64_t id);
Result<FetchedMemory> fetch_in_process(uint64_t id);

}  // namespace canopy::shmem
