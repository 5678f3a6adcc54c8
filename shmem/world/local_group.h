// LocalGroup: the memory of all PEs of this host, as this process sees it. Built once per process
// and job by the process's lowest PE (its leader), and shared by the Worlds of the process: PEs
// that are threads of one process see each other's memory at the same addresses, so that a race
// detector sees them race.
//
// Building it is the proof that the PEs are on one host: connect to the peer's broker, fetch its
// control page and heap, map them, and find the nonce of its card in the page. why(pe) tells what
// was done.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/broker.h"
#include "shmem/world/card.h"
#include "shmem/world/slot_area.h"

#include <memory>
#include <string>
#include <vector>

namespace canopy::shmem {

class LocalGroup {
 public:
  // The leader's call. `broker` may be null when all cards are of this process; it watches every
  // peer of another process from now on, with the PE as its tag.
  static Result<std::shared_ptr<LocalGroup>> build(const std::vector<Card>& cards, int my_pe,
                                                   Broker* broker, uint64_t heap_bytes,
                                                   uint64_t device_room);
  // The calls of the process's other PEs, after the leader has built it; the leader's card names
  // it.
  static Result<std::shared_ptr<LocalGroup>> find(const Card& leader);

  // The lowest PE with the same process nonce as `pe`.
  static int leader_of(const std::vector<Card>& cards, int pe);

  SlotArea& area() { return area_; }
  const std::string& why(int pe) const { return why_[static_cast<size_t>(pe)]; }

  // Maps the device heaps with these ids, one per PE. The leader's call.
  Result<> map_device_heaps(const std::vector<Card>& cards, int my_pe, Broker* broker,
                            const std::vector<uint64_t>& ids, uint64_t bytes);

 private:
  Result<> map_peer(const std::vector<Card>& cards, int my_pe, int pe, Broker* broker);

  SlotArea area_;
  std::vector<std::string> why_;
};

// Memory that a PE of this process offers to the leader of its process, under the id that its card
// names. What was offered stays valid until withdrawn. Thread-safe.
Result<> offer_in_process(uint64_t id, const UniqueFd& fd, uint64_t bytes);
void withdraw_in_process(uint64_t id);
Result<FetchedMemory> fetch_in_process(uint64_t id);

}  // namespace canopy::shmem
