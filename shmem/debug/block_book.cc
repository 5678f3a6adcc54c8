#include "shmem/debug/block_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <tuple>
#include <vector>

namespace canopy::shmem {

std::string HeapBlock::text() const {
  const std::string site = allocated.text();
  return fmt::format("the block of {} bytes at {:#x} from {}{}{}", bytes, begin, routine, site.empty() ? "" : " in ", site);
}

void BlockBook::add(const HeapBlock& block) {
  std::lock_guard lock(mutex_);
  live_[block.begin] = block;
}

void BlockBook::remove(uintptr_t begin, CallSite site) {
  std::lock_guard lock(mutex_);
  auto node = live_.extract(begin);
  if (node.empty()) {
    return;
  }
  node.mapped().freed = site;
  freed_.push_front(node.mapped());
  if (freed_.size() > kKept) {
    freed_.pop_back();
  }
}

std::optional<HeapBlock> BlockBook::before(uintptr_t at) const {
  std::shared_lock lock(mutex_);
  const auto behind = live_.upper_bound(at);
  return behind == live_.begin() ? std::nullopt : std::optional(std::prev(behind)->second);
}

std::optional<HeapBlock> BlockBook::freed_at(uintptr_t at) const {
  std::shared_lock lock(mutex_);
  const auto found = std::find_if(freed_.begin(), freed_.end(), [at](const HeapBlock& block) { return block.contains(at); });
  return found == freed_.end() ? std::nullopt : std::optional(*found);
}

std::string BlockBook::live_text() const {
  struct Group {
    size_t bytes;
    size_t count;
    const HeapBlock* one;
  };
  std::shared_lock lock(mutex_);
  std::map<std::tuple<size_t, const void*, std::string_view>, Group> groups;
  for (const auto& [begin, block] : live_) {
    Group& group = groups.try_emplace({block.bytes, block.allocated.pc, block.routine}, Group{0, 0, &block}).first->second;
    group.bytes += block.bytes;
    ++group.count;
  }
  std::vector<Group> sorted;
  for (const auto& [key, group] : groups) {
    sorted.push_back(group);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Group& a, const Group& b) { return a.bytes > b.bytes; });
  std::string text;
  for (const Group& group : sorted) {
    const std::string site = group.one->allocated.text();
    text += fmt::format("\n  {} x {} bytes from {}{}{}", group.count, group.one->bytes, group.one->routine,
                        site.empty() ? "" : " in ", site);
  }
  return text;
}

}  // namespace canopy::shmem
