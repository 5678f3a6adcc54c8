// StreamPool: one pool of device memory whose blocks are handed out and taken back in stream order.
//
// The pool reserves chunks of its device, and cuts them into blocks. A block that was freed is
// pending until its stream has done what was queued before: the same stream may have it again at
// once, others by the rules that the pool's owner asks of it (StreamPools, which also does all
// locking).
#pragma once

#include "runtime/base/range_allocator.h"
#include "runtime/device/memory_watch.h"
#include "runtime/driver/memory_pool.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace canopy {

// How far a stream must have got for a freed block to be nobody's.
struct StreamMark {
  void* stream = nullptr;  // handle; null: nothing is left to wait for
  int32_t stream_id = -1;
  uint64_t ticket = 0;  // tasks completed
};

class StreamPool {
 public:
  static constexpr uint64_t kGrain = 512;  // of blocks

  // `memory` is what the chunks come from, `watch` is told when they go back; `max_bytes` bounds
  // what is reserved.
  StreamPool(MemoryPool& memory, MemoryWatch& watch, int device, uint64_t max_bytes)
      : memory_(memory), watch_(watch), device_(device), max_bytes_(max_bytes) {}

  int device() const { return device_; }
  uint64_t max_bytes() const { return max_bytes_; }

  // ---- Blocks.
  // A block of what is free; null when none is large enough.
  std::byte* take_free(uint64_t bytes);
  // A pending block that `may_have` allows: the one that fits best, and its mark.
  template <class MayHave>
  std::optional<std::pair<std::byte*, StreamMark>> take_pending(uint64_t bytes,
                                                                MayHave&& may_have) {
    auto best = pending_.end();
    for (auto it = pending_.begin(); it != pending_.end(); ++it) {
      if (it->bytes >= bytes && (best == pending_.end() || it->bytes < best->bytes) &&
          may_have(it->mark)) {
        best = it;
      }
    }
    if (best == pending_.end()) {
      return std::nullopt;
    }
    const std::pair taken(best->address, best->mark);
    pending_.erase(best);
    live_.emplace(taken.first, bytes);
    return taken;
  }
  // A live block becomes pending. False when none starts at `address`.
  bool free(std::byte* address, const StreamMark& mark);
  // What is pending and `reached` becomes free.
  template <class Reached>
  void settle(Reached&& reached) {
    std::erase_if(pending_, [&](const Pending& block) {
      if (!reached(block.mark)) {
        return false;
      }
      give_back(block.address);
      return true;
    });
  }
  // The stream is gone, with all its work done.
  void forget_stream(void* stream);
  // The live block that `address` lies in.
  std::optional<std::pair<std::byte*, uint64_t>> find(const std::byte* address) const;
  size_t pending() const { return pending_.size(); }
  bool empty() const { return live_.empty() && pending_.empty(); }

  // ---- Chunks.
  // Whether `bytes` more may be reserved; if so they count as reserved from here on.
  bool reserve(uint64_t bytes);
  void cancel_reservation(uint64_t bytes) { reserved_ -= bytes; }
  // A chunk of bytes reserved before.
  void add_chunk(std::byte* base, uint64_t bytes);
  // Gives free chunks back as long as `keep` bytes stay reserved.
  void trim(uint64_t keep);
  static uint64_t chunk_bytes(uint64_t bytes) {
    return (bytes + kGranule - 1) / kGranule * kGranule;
  }

  // ---- Figures, in bytes. Used: blocks that are live or pending.
  uint64_t reserved() const { return reserved_; }
  uint64_t reserved_high() const { return reserved_high_; }
  uint64_t used() const { return used_; }
  uint64_t used_high() const { return used_high_; }
  void reset_reserved_high() { reserved_high_ = reserved_; }
  void reset_used_high() { used_high_ = used_; }

  bool follow_events = true;
  bool opportunistic = true;
  bool insert_waits = false;
  uint64_t release_threshold = 0;
  bool closing = false;  // goes with its last block
  uint64_t growths = 0;  // chunks that were ever added

 private:
  struct Chunk {
    uint64_t bytes;
    RangeAllocator ranges;
  };
  struct Pending {
    std::byte* address;
    uint64_t bytes;
    StreamMark mark;
  };
  std::pair<std::byte* const, Chunk>& chunk_of(const std::byte* address);
  void give_back(std::byte* address);

  MemoryPool& memory_;
  MemoryWatch& watch_;
  const int device_;
  const uint64_t max_bytes_;
  std::map<std::byte*, Chunk> chunks_;
  std::map<std::byte*, uint64_t> live_;  // address -> bytes as asked for
  std::vector<Pending> pending_;
  uint64_t reserved_ = 0;
  uint64_t reserved_high_ = 0;
  uint64_t used_ = 0;
  uint64_t used_high_ = 0;
};

}  // namespace canopy
