#include "shmem/world/slot_area.h"

#include <algorithm>

namespace canopy::shmem {
namespace {

constexpr uint64_t kGranule = 2u << 20;
// Room for a device heap that is asked for later (aclshmemx_init_attr after shmem_init). Address
// space costs nothing, but sanitizers have only a little of it.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kGenerousRoom = 0;
#else
constexpr uint64_t kGenerousRoom = 48ull << 30;
#endif
constexpr uint64_t kGenerousTotal = 8ull << 40;

}  // namespace

uint64_t SlotArea::control_bytes() {
  return (sizeof(ControlPage) + page_size() - 1) / page_size() * page_size();
}

Result<SlotArea> SlotArea::reserve(int slots, uint64_t heap_bytes, uint64_t globals_bytes,
                                   uint64_t device_room) {
  const auto count = static_cast<uint64_t>(slots);
  SlotArea result;
  result.heap_bytes_ = heap_bytes;
  result.globals_bytes_ = globals_bytes;
  const uint64_t fixed = kUserAt + result.device_offset();
  const uint64_t generous = fixed + std::max(device_room, kGenerousRoom);
  if (generous > fixed + device_room && generous <= kGenerousTotal / count) {
    if (auto area = Mapping::reserve(count * generous, kGranule)) {
      result.area_ = std::move(*area);
      result.stride_ = generous;
      return result;
    }
    error_text::take_newest();  // a tight RLIMIT_AS: what is needed may still fit
  }
  result.stride_ = fixed + device_room;
  CANOPY_ASSIGN(result.area_, Mapping::reserve(count * result.stride_, kGranule));
  return result;
}

Result<> SlotArea::place_control(int slot, const UniqueFd& fd) {
  return area_.place(at(slot, 0), fd, control_bytes());
}

Result<> SlotArea::place_host(int slot, const UniqueFd& fd) {
  return area_.place(at(slot, kUserAt), fd, heap_bytes_);
}

Result<> SlotArea::place_globals(int slot, const UniqueFd& fd) {
  return area_.place(at(slot, kUserAt + heap_bytes_), fd, globals_bytes_);
}

Result<> SlotArea::place_device(int slot, const UniqueFd& fd, uint64_t bytes) {
  return area_.place(at(slot, kUserAt + device_offset()), fd, bytes);
}

}  // namespace canopy::shmem
