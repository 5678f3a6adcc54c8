// World's device heap, and what the runtime's address space is told about symmetric memory.
#include "runtime/base/env.h"
#include "runtime/driver/driver.h"
#include "shmem/heap/agreement.h"
#include "shmem/world/memory_limit.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <charconv>

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
  SlotArea& area = group_->area();
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
  CANOPY_ASSIGN(const auto texts, bootstrap_->exchange(allocated ? std::to_string(id) : ""));
  CANOPY_TRY(allocated);
  std::vector<uint64_t> ids;
  for (size_t pe = 0; pe < texts.size(); ++pe) {
    uint64_t theirs = 0;
    std::from_chars(texts[pe].data(), texts[pe].data() + texts[pe].size(), theirs);
    if (theirs == 0) {
      device_memory_.reset();
      return fail(Errc::no_memory, "pe {}: PE {} could not make its device heap of {} bytes",
                  my_pe(), pe, bytes);
    }
    ids.push_back(theirs);
  }
  const bool leads = LocalGroup::leader_of(cards_, my_pe()) == my_pe();
  CANOPY_TRY(agree_on(leads ? group_->map_device_heaps(cards_, my_pe(), broker_.get(), ids, bytes)
                            : Result<>()));
  for (uint64_t published : std::exchange(published_, {})) {
    withdraw(published);
  }
  register_with_runtime(area.device_offset(), bytes, true);
  hot_.bytes = area.device_offset() + bytes;
  device_heap_.emplace(*this, HeapKind::device, area.user(my_pe()) + area.device_offset(), bytes);
  sync();
  return {};
}

// aclrtMemcpy and friends ask the address space what an address is. The leader of the process tells
// it, for all PEs of the host: the mappings are the process's.
void World::register_with_runtime(uint64_t offset, uint64_t bytes, bool device_kind) {
  if (options_.driver == nullptr || LocalGroup::leader_of(cards_, my_pe()) != my_pe()) {
    return;
  }
  const int devices = options_.driver->machine().count();
  for (int pe = 0; pe < n_pes(); ++pe) {
    const bool own = pe == my_pe();
    std::byte* base = group_->area().user(pe) + offset;
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
