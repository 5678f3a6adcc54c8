#include "runtime/core/stream_pool.h"

#include "runtime/base/check.h"

#include <algorithm>
#include <iterator>

namespace canopy {

std::pair<std::byte* const, StreamPool::Chunk>& StreamPool::chunk_of(const std::byte* address) {
  auto after = chunks_.upper_bound(const_cast<std::byte*>(address));
  CHECK(after != chunks_.begin(), "a block must lie in a chunk");
  return *std::prev(after);
}

std::byte* StreamPool::take_free(uint64_t bytes) {
  for (auto& [base, chunk] : chunks_) {
    if (const auto offset = chunk.ranges.allocate(bytes, kGrain)) {
      std::byte* address = base + *offset;
      live_.emplace(address, bytes);
      used_ += chunk.ranges.find(*offset)->second;
      used_high_ = std::max(used_high_, used_);
      return address;
    }
  }
  return nullptr;
}

bool StreamPool::free(std::byte* address, const StreamMark& mark) {
  if (live_.erase(address) == 0) {
    return false;
  }
  auto& [base, chunk] = chunk_of(address);
  const uint64_t bytes = chunk.ranges.find(static_cast<uint64_t>(address - base))->second;
  pending_.push_back({address, bytes, mark});
  return true;
}

void StreamPool::give_back(std::byte* address) {
  auto& [base, chunk] = chunk_of(address);
  const auto bytes = chunk.ranges.free(static_cast<uint64_t>(address - base));
  CHECK(bytes, "a pending block must be known to its chunk");
  used_ -= *bytes;
}

void StreamPool::forget_stream(void* stream) {
  for (Pending& block : pending_) {
    if (block.mark.stream == stream) {
      block.mark = StreamMark();
    }
  }
}

std::optional<std::pair<std::byte*, uint64_t>> StreamPool::find(const std::byte* address) const {
  auto after = live_.upper_bound(const_cast<std::byte*>(address));
  if (after == live_.begin()) {
    return std::nullopt;
  }
  const auto& [base, bytes] = *std::prev(after);
  if (static_cast<uint64_t>(address - base) >= bytes) {
    return std::nullopt;
  }
  return std::pair(base, bytes);
}

bool StreamPool::reserve(uint64_t bytes) {
  if (bytes > max_bytes_ || reserved_ > max_bytes_ - bytes) {
    return false;
  }
  reserved_ += bytes;
  return true;
}

void StreamPool::add_chunk(std::byte* base, uint64_t bytes) {
  chunks_.emplace(base, Chunk{bytes, RangeAllocator(bytes, kGrain)});
  reserved_high_ = std::max(reserved_high_, reserved_);
}

void StreamPool::trim(uint64_t keep) {
  for (auto it = chunks_.begin(); it != chunks_.end();) {
    const Chunk& chunk = it->second;
    if (chunk.ranges.used_bytes() != 0 || reserved_ - keep < chunk.bytes || reserved_ < keep) {
      ++it;
      continue;
    }
    reserved_ -= chunk.bytes;
    FreeNote note(watch_, MemorySpan{it->first, chunk.bytes});
    CHECK(memory_.free(it->first, &note), "a chunk must be a live allocation");
    it = chunks_.erase(it);
  }
}

}  // namespace canopy
