// MemoryWatch: lets a task find out that memory it was checked for has been freed since it was
// queued, and lets who frees memory wait for the copies that are at it.
//
// A task carries frees() of the time before its check. It says what it is about to touch (TouchScope), and when nothing was
// freed since, and no free is on its way, it goes on; else it asks refuse(). Who frees says so first (FreeNote): copies
// that begin from then on are refused, those that have begun are waited for. Kernels are not waited for: their faults
// are caught.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace canopy {

class FreeNote;

struct MemorySpan {
  const void* base;
  uint64_t bytes;
};

// Two ranges that a task touches: written and read; either may be null.
struct TouchedRanges {
  const void* dst;
  uint64_t dst_bytes;
  const void* src;
  uint64_t src_bytes;
};

class MemoryWatch {
 public:
  virtual ~MemoryWatch() = default;
  // For unchanged_since(). What was freed is not found any more; pairs with FreeNote and note_free(). seq_cst: see
  // TouchScope.
  uint64_t frees() const { return state_.load(std::memory_order_seq_cst); }
  // Nothing has been freed since, and nothing was being freed then.
  bool unchanged_since(uint64_t frees) const { return this->frees() == frees && (frees & kGoing) == 0; }
  // Something that is still there is nobody's to touch any more.
  void note_free() { state_.fetch_add(kOneFree, std::memory_order_seq_cst); }
  // "" when all of it may be touched; else why not.
  std::string refuse(const TouchedRanges& ranges) const;
  // Of what is refused: whether it is another process's, which is gone. Asked when there is time.
  virtual bool owner_is_gone(const TouchedRanges& /*ranges*/) const { return false; }

 private:
  friend class FreeNote;
  // As the look-ups say.
  virtual std::string refuse_unknown(const TouchedRanges& ranges) const = 0;

  // [ frees, ended ][ frees on their way: 16 bits ]
  static constexpr uint64_t kGoing = 0xFFFF;
  static constexpr uint64_t kOneFree = kGoing + 1;
  std::atomic<uint64_t> state_{0};
  mutable std::mutex mutex_;
  std::vector<const FreeNote*> going_;  // guarded by mutex_
};

// While it lives and allows it, nothing of `ranges` is freed: of a copy or fill, around it.
class TouchScope {
 public:
  // `frees`: from before the ranges were checked. A null `watch` allows everything.
  TouchScope(const MemoryWatch* watch, uint64_t frees, const TouchedRanges& ranges);
  ~TouchScope();
  TouchScope(const TouchScope&) = delete;
  TouchScope& operator=(const TouchScope&) = delete;

  bool allowed() const { return why_.empty(); }
  // Why it is not allowed.
  std::string& why() { return why_; }

 private:
  void look_again(const MemoryWatch& watch, const TouchedRanges& ranges);
  std::string why_;
};

// Around every free. Waits for the copies that are at `spans`, which outlive it; those that begin later are refused, until
// over(): then the look-ups know.
class FreeNote {
 public:
  FreeNote(MemoryWatch& watch, const MemorySpan& span);
  FreeNote(MemoryWatch& watch, std::span<const MemorySpan> spans);
  ~FreeNote() { over(); }
  FreeNote(const FreeNote&) = delete;
  FreeNote& operator=(const FreeNote&) = delete;

  // Where somebody else may be given the addresses at once: called when they are free and cannot be given out yet.
  void over();

 private:
  friend class MemoryWatch;
  void begin();
  bool over_ = false;
  MemoryWatch& watch_;
  const MemorySpan one_;
  const std::span<const MemorySpan> spans_;
};

// Waits for the copies that are at `span` and began before the call or before the last note_free().
void wait_for_uses(const MemorySpan& span);

}  // namespace canopy
