// MemoryWatch: lets a task find out that memory it was checked for has been freed since it was
// queued.
//
// The task carries frees() of the time before the check. When it runs and the count is still the
// same, nothing was freed; else it asks refuse(). Memory that is freed while a task is at it is not
// caught.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace canopy {

class MemoryWatch {
 public:
  virtual ~MemoryWatch() = default;
  // Acquire: what was freed is not found any more; pairs with note_free().
  uint64_t frees() const { return frees_.load(std::memory_order_acquire); }
  void note_free() { frees_.fetch_add(1, std::memory_order_release); }
  // "" when [dst, +dst_bytes) may be written, and [src, +src_bytes) read, each unless it is null; else why not.
  virtual std::string refuse(const void* dst, uint64_t dst_bytes, const void* src,
                             uint64_t src_bytes) const = 0;

 private:
  std::atomic<uint64_t> frees_{0};
};

// Around every free: before it, for tasks that begin meanwhile; after it, for tasks checked
// meanwhile.
class FreeNote {
 public:
  explicit FreeNote(MemoryWatch& watch) : watch_(watch) { watch_.note_free(); }
  ~FreeNote() { watch_.note_free(); }
  FreeNote(const FreeNote&) = delete;
  FreeNote& operator=(const FreeNote&) = delete;

 private:
  MemoryWatch& watch_;
};

}  // namespace canopy
