// HandleTable: the handles that C callers hold are table indices with a generation, never pointers, so
// that a stale, foreign or invented handle is an error and not a crash.
//
//   63      56 55            32 31              0
//   [  kind  ] [ generation   ] [  index + 1    ]
//
// find() takes no lock. insert() and remove() are serialised by a mutex. An object must not be
// removed while another thread still uses it: that race is the caller's, as with any destroy call,
// but a find() that comes after the remove() always fails.
#pragma once

#include "runtime/base/cache_line.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace canopy {

template <class T>
class HandleTable {
 public:
  explicit HandleTable(uint8_t kind) : kind_(kind) {}
  ~HandleTable() {
    for (auto& chunk : chunks_) {
      delete[] chunk.load(std::memory_order_relaxed);  // relaxed: nobody else is left
    }
  }
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  // Takes ownership; null only when 2^20 objects of the kind are alive.
  void* insert(std::unique_ptr<T> object) {
    std::lock_guard lock(mutex_);
    uint32_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      if (used_ == kChunks * kChunkSize) {
        return nullptr;
      }
      index = used_++;
      auto& chunk = chunks_[index / kChunkSize];
      if (chunk.load(std::memory_order_relaxed) == nullptr) {
        // Release: the zeroed slots are visible to whoever finds the chunk.
        chunk.store(new Slot[kChunkSize], std::memory_order_release);
      }
    }
    Slot& slot = *slot_at(index);
    slot.generation = (slot.generation + 1) & 0xFFFFFF;
    const uint64_t key = uint64_t{kind_} << 56 | uint64_t{slot.generation} << 32 | (index + 1);
    slot.object.store(object.release(), std::memory_order_relaxed);
    // Release: the object is whole before its handle can be found; pairs with find().
    slot.key.store(key, std::memory_order_release);
    ++live_;
    return reinterpret_cast<void*>(key);
  }

  // The object, or null when the handle is not one of a live object of this kind.
  T* find(const void* handle) const {
    const uint64_t key = reinterpret_cast<uint64_t>(handle);
    const uint32_t index = static_cast<uint32_t>(key) - 1;
    if (index >= kChunks * kChunkSize) [[unlikely]] {
      return nullptr;
    }
    Slot* chunk = chunks_[index / kChunkSize].load(std::memory_order_acquire);
    if (chunk == nullptr) [[unlikely]] {
      return nullptr;
    }
    const Slot& slot = chunk[index % kChunkSize];
    // Acquire: pairs with insert().
    return slot.key.load(std::memory_order_acquire) == key ? slot.object.load(std::memory_order_relaxed) : nullptr;
  }

  // Makes the handle dead and returns its object; null when it was not alive.
  std::unique_ptr<T> remove(const void* handle) {
    std::lock_guard lock(mutex_);
    T* object = find(handle);
    if (object == nullptr) {
      return nullptr;
    }
    const uint32_t index = static_cast<uint32_t>(reinterpret_cast<uint64_t>(handle)) - 1;
    Slot& slot = *slot_at(index);
    slot.key.store(0, std::memory_order_release);
    slot.object.store(nullptr, std::memory_order_relaxed);
    free_.push_back(index);
    --live_;
    return std::unique_ptr<T>(object);
  }

  // The handles alive now.
  std::vector<void*> handles() const {
    std::lock_guard lock(mutex_);
    std::vector<void*> list;
    for (uint32_t i = 0; i < used_; ++i) {
      if (const uint64_t key = slot_at(i)->key.load(std::memory_order_relaxed)) {
        list.push_back(reinterpret_cast<void*>(key));
      }
    }
    return list;
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return live_;
  }

 private:
  struct Slot {
    std::atomic<uint64_t> key{0};
    std::atomic<T*> object{nullptr};  // relaxed, behind the key: a handle may end while it is looked for
    uint32_t generation = 0;
    ~Slot() { delete object.load(std::memory_order_relaxed); }
  };
  static constexpr uint32_t kChunkSize = 1024;
  static constexpr uint32_t kChunks = 1024;

  Slot* slot_at(uint32_t index) const {
    return &chunks_[index / kChunkSize].load(std::memory_order_relaxed)[index % kChunkSize];
  }

  const uint8_t kind_;
  std::array<std::atomic<Slot*>, kChunks> chunks_{};
  mutable std::mutex mutex_;  // guards free_, used_, live_ and all writes to slots
  std::vector<uint32_t> free_;
  uint32_t used_ = 0;
  size_t live_ = 0;
};

}  // namespace canopy
