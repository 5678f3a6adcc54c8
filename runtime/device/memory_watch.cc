#include "runtime/device/memory_watch.h"

#include "runtime/base/cache_line.h"
#include "runtime/base/thread_instance.h"
#include "runtime/base/waiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

namespace canopy {
namespace {

// What a thread is copying. Its owner alone writes it; who frees reads it like a seqlock: an odd turn that is the same before
// and after the ranges were read is at them.
//
// Both sides write, then look: the owner its turn and then the frees, who frees the frees (FreeNote, or note_free() for
// wait_for_uses()) and then the turns. All of these are seq_cst, so that one of the two sees the other. (A membarrier of who
// frees instead of the owner's locked store, which is 15 to 20 ns of a small copy, made frees beside copies take 9 us.)
struct alignas(kCacheLine) Use {
  std::atomic<uint64_t> turn{0};
  std::atomic<uintptr_t> dst{0};
  std::atomic<uintptr_t> dst_bytes{0};
  std::atomic<uintptr_t> src{0};
  std::atomic<uintptr_t> src_bytes{0};
};

bool overlap(uintptr_t a, uint64_t a_bytes, uintptr_t b, uint64_t b_bytes) {
  return a < b ? b - a < a_bytes && b_bytes != 0 : a - b < b_bytes && a_bytes != 0;
}

bool overlap(const MemorySpan& span, const void* base, uint64_t bytes) {
  return overlap(reinterpret_cast<uintptr_t>(span.base), span.bytes, reinterpret_cast<uintptr_t>(base), bytes);
}

// Those of all threads that have ever copied.
class Uses {
 public:
  static Uses& instance() {
    static auto* const uses = new Uses;  // threads end late
    return *uses;
  }
  std::shared_ptr<Use> add() {
    auto use = std::make_shared<Use>();
    std::lock_guard lock(mutex_);
    uses_.push_back(use);
    return use;
  }
  void remove(const Use* use) {
    std::lock_guard lock(mutex_);
    std::erase_if(uses_, [&](const auto& each) { return each.get() == use; });
  }
  void wait(std::span<const MemorySpan> spans);

 private:
  struct Running {
    std::shared_ptr<Use> use;
    uint64_t turn;
  };
  std::mutex mutex_;
  std::vector<std::shared_ptr<Use>> uses_;  // guarded by mutex_
};

struct UseOfThread {
  std::shared_ptr<Use> use = Uses::instance().add();
  ~UseOfThread() { Uses::instance().remove(use.get()); }
};

Use& my_use() { return *thread_instance<struct UseTag, UseOfThread>().use; }

bool is_at(const Use& use, uint64_t turn, std::span<const MemorySpan> spans) {
  // Acquire, each: turns that come after what is read here are seen below.
  const auto at = [&](const std::atomic<uintptr_t>& base, const std::atomic<uintptr_t>& bytes) {
    const uintptr_t from = base.load(std::memory_order_acquire);
    const uint64_t length = bytes.load(std::memory_order_acquire);
    return std::any_of(spans.begin(), spans.end(), [&](const MemorySpan& span) {
      return overlap(reinterpret_cast<uintptr_t>(span.base), span.bytes, from, length);
    });
  };
  const bool writes = at(use.dst, use.dst_bytes);
  const bool reads = at(use.src, use.src_bytes);
  return (writes || reads) && use.turn.load(std::memory_order_acquire) == turn;
}

void Uses::wait(std::span<const MemorySpan> spans) {
  std::vector<Running> running;
  {
    std::lock_guard lock(mutex_);
    if (uses_.empty()) {
      return;
    }
    for (const auto& use : uses_) {
      const uint64_t turn = use->turn.load(std::memory_order_seq_cst);  // what copies that are over have stored is there
      if (turn % 2 != 0 && is_at(*use, turn, spans)) {
        running.push_back({use, turn});
      }
    }
  }
  const Use* const mine = running.empty() ? nullptr : &my_use();
  for (const Running& each : running) {
    if (each.use.get() == mine) {
      continue;  // it frees what it copies itself
    }
    wait_until([&] { return each.use->turn.load(std::memory_order_acquire) != each.turn; }, nullptr, BellScope::process,
               Deadline::never(),
               [&] { return fmt::format("a free of memory waits for a copy that is at it (from {}, {} bytes)",
                                        fmt::ptr(spans.front().base), spans.front().bytes); });
  }
}

void begin(Use& use, const TouchedRanges& ranges) {
  // Release, each: an earlier turn is not seen behind a later range.
  use.dst.store(reinterpret_cast<uintptr_t>(ranges.dst), std::memory_order_release);
  use.dst_bytes.store(ranges.dst != nullptr ? ranges.dst_bytes : 0, std::memory_order_release);
  use.src.store(reinterpret_cast<uintptr_t>(ranges.src), std::memory_order_release);
  use.src_bytes.store(ranges.src != nullptr ? ranges.src_bytes : 0, std::memory_order_release);
  use.turn.store(use.turn.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

// Release: what was copied is there for who sees it. Even already: it has not begun, or has been ended.
void end(Use& use) {
  if (const uint64_t turn = use.turn.load(std::memory_order_relaxed); turn % 2 != 0) {
    use.turn.store(turn + 1, std::memory_order_release);
  }
}

}  // namespace

std::string MemoryWatch::refuse(const TouchedRanges& ranges) const {
  {
    std::lock_guard lock(mutex_);
    for (const FreeNote* note : going_) {
      for (const MemorySpan& span : note->spans_) {
        const bool writes = ranges.dst != nullptr && overlap(span, ranges.dst, ranges.dst_bytes);
        if (writes || (ranges.src != nullptr && overlap(span, ranges.src, ranges.src_bytes))) {
          return fmt::format("{} ({}) lies in no live allocation: it is being freed",
                             fmt::ptr(writes ? ranges.dst : ranges.src), writes ? "destination" : "source");
        }
      }
    }
  }
  return refuse_unknown(ranges);
}

TouchScope::TouchScope(const MemoryWatch* watch, uint64_t frees, const TouchedRanges& ranges) {
  begin(my_use(), ranges);
  if (watch != nullptr && !watch->unchanged_since(frees)) [[unlikely]] {
    look_again(*watch, ranges);
  }
}

void TouchScope::look_again(const MemoryWatch& watch, const TouchedRanges& ranges) {
  for (;;) {
    end(my_use());  // who frees may wait for us with a lock that a look-up takes
    const uint64_t before = watch.frees();
    why_ = watch.refuse(ranges);
    if (!why_.empty()) {
      return;
    }
    begin(my_use(), ranges);
    // Frees that are on their way as they were then have been looked at.
    if (watch.frees() == before) {
      return;
    }
  }
}

TouchScope::~TouchScope() { end(my_use()); }

FreeNote::FreeNote(MemoryWatch& watch, const MemorySpan& span) : watch_(watch), one_(span), spans_(&one_, 1) { begin(); }

FreeNote::FreeNote(MemoryWatch& watch, std::span<const MemorySpan> spans) : watch_(watch), one_(), spans_(spans) { begin(); }

void FreeNote::begin() {
  {
    std::lock_guard lock(watch_.mutex_);
    watch_.going_.push_back(this);
  }
  watch_.state_.fetch_add(1, std::memory_order_seq_cst);
  Uses::instance().wait(spans_);
}

void FreeNote::over() {
  if (std::exchange(over_, true)) {
    return;
  }
  {
    std::lock_guard lock(watch_.mutex_);
    std::erase(watch_.going_, this);
  }
  watch_.state_.fetch_add(MemoryWatch::kOneFree - 1, std::memory_order_release);
}

void wait_for_uses(const MemorySpan& span) { Uses::instance().wait(std::span(&span, 1)); }

}  // namespace canopy
