// World's device heap, what the runtime's address space is told about symmetric memory, and the
// driver about other hosts.
#include "runtime/base/env.h"
#include "runtime/driver/driver.h"
#include "shmem/heap/agreement.h"
#include "shmem/world/packing.h"
#include "shmem/world/world.h"

#include <algorithm>

namespace canopy::shmem {

Result<SymmetricHeap*> World::device_heap(uint64_t bytes) {
  if (!device_heap_) {
    const uint64_t wanted = bytes != 0 ? bytes : options_.device_heap_bytes;
    const uint64_t chosen =
        wanted != 0 ? wanted : env::bytes("CANOPY_DEVICE_HEAP_SIZE").value_or(256u << 20);
    CANOPY_TRY(make_device_heap((chosen + kGranule - 1) / kGranule * kGranule));
  }
  return &*device_heap_;
}

Result<> World::make_device_heap(uint64_t bytes) {
  agree(*this, {.routine = HeapRoutine::device_heap, .kind = HeapKind::device, .size = bytes});
  const SlotArea& area = group_->area();
  uint64_t id = 0;
  const auto allocate = [&]() -> Result<> {
    if (options_.driver == nullptr) {
      return fail(Errc::no_device,
                  "pe {}: a device heap needs the device runtime, which did not start", my_pe());
    }
    if (bytes > area.device_room()) {
      return fail(Errc::out_of_range,
                  "pe {}: a device heap of {} bytes exceeds the {} bytes reserved at init; set "
                  "CANOPY_DEVICE_HEAP_SIZE to the larger value",
                  my_pe(), bytes, area.device_room());
    }
    const int device =
        options_.device >= 0 ? options_.device : my_pe() % options_.driver->machine().count();
    CANOPY_ASSIGN(device_memory_, options_.driver->allocate_physical(device, bytes));
    return publish(&id, device_memory_.fd(), bytes);
  };
  const Result<> allocated = allocate();
  std::string mine;
  pack_number(mine, allocated ? id : 0);
  CANOPY_ASSIGN(const auto texts, bootstrap_->exchange(mine));
  CANOPY_TRY(allocated);
  std::vector<uint64_t> ids;
  for (size_t pe = 0; pe < texts.size(); ++pe) {
    Unpacking in{texts[pe]};
    ids.push_back(in.number());
    if (!in.ok || ids.back() == 0) {
      device_memory_.reset();
      return fail(Errc::no_memory, "pe {}: PE {} could not make its device heap of {} bytes",
                  my_pe(), pe, bytes);
    }
  }
  const auto map_and_register = [&]() -> Result<> {
    if (process_leader() == my_pe()) {
      CANOPY_TRY(
          group_->map_device_heaps(cards_, my_pe(), broker_.get(), mapped_pes(), ids, bytes));
    }
    if (network_ != nullptr) {
      CANOPY_TRY(network_->register_region(FarPaths::kDeviceHeap,
                                           {group_->user(my_pe()) + area.device_offset(), bytes}));
    }
    return {};
  };
  CANOPY_TRY(agree_on(map_and_register()));
  for (uint64_t published : std::exchange(published_, {})) {
    withdraw(published);
  }
  CANOPY_TRY(connect_device_heaps(bytes));
  register_with_runtime(area.device_offset(), bytes, true);
  device_heap_.emplace(*this, HeapKind::device, group_->user(my_pe()) + area.device_offset(), bytes,
                       blocks_.get());
  sync();
  return {};
}

// Adds the device heaps to the peer table and to what transports reach.
Result<> World::connect_device_heaps(uint64_t bytes) {
  const uint64_t offset = group_->area().device_offset();
  for (int pe = 0; pe < n_pes(); ++pe) {
    transport::Transport* way = far_ != nullptr ? far_->way_to(pe) : nullptr;
    if (way == nullptr) {
      peers_[static_cast<size_t>(pe)].bytes = offset + bytes;
      continue;
    }
    const bool mapped = plan_.path(my_pe(), pe) == Path::posted_mapped;
    const transport::PeerRegion region{.id = FarPaths::kDeviceHeap,
                                       .bytes = bytes,
                                       .mapped_at = mapped ? group_->user(pe) + offset : nullptr};
    CANOPY_TRY(way->connect(pe, addresses_[static_cast<size_t>(pe)], {&region, 1}));
  }
  if (far_ != nullptr) {
    far_->set_layout(group_->area().host_bytes(), offset, bytes);
  }
  hot_.bytes = offset + bytes;
  make_current();
  contexts_.refresh();
  return {};
}

// Equal on all PEs, and on those of another job different; tells nobody the cards' nonces, which
// are proofs.
uint64_t World::job_number() const {
  uint64_t number = 0xcbf29ce484222325;
  for (const Card& card : cards_) {
    number = (number ^ card.control_nonce) * 0x100000001b3;
    number ^= number >> 29;
  }
  return number;
}

// For handles of kind FABRIC: whoever loads and stores do not reach is to be on another host, and
// on one host that is so only where somebody wished it, or where namespaces part it.
uint32_t World::host_part() const {
  bool parted = false;
  int lowest = my_pe();
  for (int pe = 0; pe < n_pes(); ++pe) {
    if (card(pe).boot_id != card(my_pe()).boot_id) {
      continue;
    }
    if (plan_.path(my_pe(), pe) == Path::ofi) {
      parted = true;
    } else {
      lowest = std::min(lowest, pe);
    }
  }
  return parted ? static_cast<uint32_t>(lowest) + 1 : 0;
}

void World::begin_lending() {
  if (options_.driver == nullptr || process_leader() != my_pe()) {
    return;
  }
  if (lending_ == nullptr) {
    lending_ = std::make_shared<Lending>(*this, job_number());
  }
  Lending::fill_slot(*options_.driver, lending_, host_part());
}

// Others may copy from and to this PE's memory until all have left.
void World::end_lending() {
  if (lending_ == nullptr) {
    return;
  }
  if (options_.driver != nullptr) {
    Lending::empty_slot(*options_.driver, lending_.get());
  }
  lending_->stop_borrowing();
}

// aclrtMemcpy and friends ask the address space what an address is. The leader of the process tells
// it, for all PEs of the host: the mappings are the process's.
void World::register_with_runtime(uint64_t offset, uint64_t bytes, bool device_kind) {
  if (options_.driver == nullptr || process_leader() != my_pe()) {
    return;
  }
  const int devices = options_.driver->machine().count();
  for (const int pe : mapped_pes()) {
    const bool own = pe == my_pe();
    std::byte* base = group_->user(pe) + offset;
    options_.driver->address_space().add(
        {.base = base,
         .bytes = bytes,
         .kind = device_kind ? MemoryKind::device : MemoryKind::pinned_host,
         .device = own && options_.device >= 0 ? options_.device : pe % devices,
         .peer_mapped = true});  // of nobody's aclrtFree: symmetric memory goes back by shmem_free
    registered_.push_back(base);
  }
}

void World::unregister_from_runtime() {
  for (void* base : std::exchange(registered_, {})) {
    options_.driver->address_space().remove(base);
  }
}

}  // namespace canopy::shmem
