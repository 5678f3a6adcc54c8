#include "runtime/device/kernel_text.h"

#include <link.h>

#include <atomic>
#include <mutex>

namespace canopy {
namespace {

struct Segment {
  uintptr_t low = 0;
  uintptr_t high = 0;
  bool holds(uintptr_t address) const { return address - low < high - low; }
};

// Never freed, so that a handler can walk the list at any time; used again for a segment at the same address,
// where binaries that come and go mostly lie.
struct Entry {
  explicit Entry(uintptr_t at) : low(at) {}
  const uintptr_t low;
  std::atomic<uintptr_t> high{0};  // 0: the segment has gone
  uint32_t count = 0;              // guarded by the list's mutex
  Entry* next = nullptr;           // written before the entry can be found
};

struct List {
  std::mutex mutex;  // guards changes
  std::atomic<Entry*> first{nullptr};
};

// Leaked: kernels may run while static destructors do. Made by the first add(), before any handler reads it.
std::atomic<List*> g_list{nullptr};

List& list() {
  static List* instance = [] {
    auto* made = new List;
    // Release: the list is whole before a handler finds it; pairs with contains().
    g_list.store(made, std::memory_order_release);
    return made;
  }();
  return *instance;
}

Segment segment_of(const void* code) {
  struct Search {
    uintptr_t address;
    Segment found;
  } search{reinterpret_cast<uintptr_t>(code), {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* raw) {
        auto& wanted = *static_cast<Search*>(raw);
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& header = object->dlpi_phdr[i];
          const uintptr_t low = object->dlpi_addr + header.p_vaddr;
          const Segment segment{low, low + header.p_memsz};
          if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0 && segment.holds(wanted.address)) {
            wanted.found = segment;
            return 1;
          }
        }
        return 0;
      },
      &search);
  return search.found;
}

// REQUIRES: the list's mutex is held.
Entry* find(List& in, uintptr_t low) {
  for (Entry* entry = in.first.load(std::memory_order_relaxed); entry != nullptr; entry = entry->next) {
    if (entry->low == low) {
      return entry;
    }
  }
  return nullptr;
}

}  // namespace

void KernelText::add(const void* code) {
  const Segment segment = segment_of(code);
  if (segment.high == 0 || segment.holds(reinterpret_cast<uintptr_t>(&KernelText::contains))) {
    return;
  }
  List& all = list();
  std::lock_guard lock(all.mutex);
  Entry* entry = find(all, segment.low);
  if (entry == nullptr) {
    entry = new Entry(segment.low);
    entry->next = all.first.load(std::memory_order_relaxed);
    // Release: the entry is whole; pairs with contains(), as below.
    all.first.store(entry, std::memory_order_release);
  }
  if (++entry->count == 1) {
    entry->high.store(segment.high, std::memory_order_release);
  }
}

void KernelText::remove(const void* code) {
  const Segment segment = segment_of(code);
  List& all = list();
  std::lock_guard lock(all.mutex);
  Entry* entry = segment.high == 0 ? nullptr : find(all, segment.low);
  if (entry != nullptr && entry->count != 0 && --entry->count == 0) {
    // Relaxed: nothing of the segment runs any more.
    entry->high.store(0, std::memory_order_relaxed);
  }
}

bool KernelText::contains(uintptr_t address) {
  const List* all = g_list.load(std::memory_order_acquire);
  if (all == nullptr) {
    return false;
  }
  for (const Entry* entry = all->first.load(std::memory_order_acquire); entry != nullptr; entry = entry->next) {
    if (address >= entry->low && address < entry->high.load(std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

}  // namespace canopy
