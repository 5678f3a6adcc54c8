// StreamAllocators: the allocators that users register, one per stream, for layers above the
// runtime. They are kept and never called here. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

namespace canopy {

// As the interface passes them; functions as it declares them, seen from C++ as plain pointers.
struct StreamAllocator {
  void* description = nullptr;  // the handle it was registered with
  void* object = nullptr;
  void* (*allocate)(void* object, size_t bytes) = nullptr;
  void (*free)(void* object, void* block) = nullptr;
  void* (*allocate_advised)(void* object, size_t bytes, void* address) = nullptr;  // optional
  void* (*address_of)(void* block) = nullptr;
};

class StreamAllocators {
 public:
  // The last one holds.
  void set(void* stream, const StreamAllocator& allocator) {
    std::lock_guard lock(mutex_);
    of_stream_[stream] = allocator;
  }
  void remove(void* stream) {
    std::lock_guard lock(mutex_);
    of_stream_.erase(stream);
  }
  std::optional<StreamAllocator> get(void* stream) const {
    std::lock_guard lock(mutex_);
    const auto found = of_stream_.find(stream);
    return found == of_stream_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::mutex mutex_;  // guards of_stream_
  std::map<void*, StreamAllocator> of_stream_;
};

}  // namespace canopy
