// BlockBook: which blocks of the symmetric heaps are live, who allocated them where, and the newest that
// were freed. Kept only where somebody asked: by the debug mode, and for the report at finalize.
//
// Both heaps in one book, by this PE's addresses. Any thread; one lock, which readers share.
#pragma once

#include "shmem/debug/call_site.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>

namespace canopy::shmem {

struct HeapBlock {
  uintptr_t begin = 0;
  size_t bytes = 0;  // as asked for; the heap rounds up
  const char* routine = "";
  CallSite allocated;
  CallSite freed;  // of freed ones

  bool contains(uintptr_t at) const { return at - begin < bytes; }
  // "the block of 64 bytes at 0x... that shmem_malloc gave main+0x1f, prog+0x11d3"
  std::string text() const;
};

class BlockBook {
 public:
  void add(const HeapBlock& block);
  // REQUIRES: a block begins there.
  void remove(uintptr_t begin, CallSite site);

  // The live block that begins at or before the address and is nearest to it.
  std::optional<HeapBlock> before(uintptr_t at) const;
  // The block that held the address when it was last freed there; only the newest kKept are known.
  std::optional<HeapBlock> freed_at(uintptr_t at) const;
  // What is live, by size and call site, largest sum first: a line each.
  std::string live_text() const;

 private:
  static constexpr size_t kKept = 4096;  // of freed blocks: enough to tell, and bounded

  mutable std::shared_mutex mutex_;    // guards both
  std::map<uintptr_t, HeapBlock> live_;
  std::deque<HeapBlock> freed_;            // newest first
};

}  // namespace canopy::shmem
