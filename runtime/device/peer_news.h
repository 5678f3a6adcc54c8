// PeerNews: words in shared memory that other processes change and this one waits for.
//
// Who changes such a word raises a bit of our PeerBell. An executor that finds bits up takes them and has the words
// behind them looked at; sleeping executors sleep on that bell as well as on their own. Nothing is polled but the
// bell, whatever the number of words.
//
// Thread-safe. Watchers come and go any time; one that is being looked at is held.
#pragma once

#include "runtime/base/peer_bell.h"
#include "runtime/base/spin_lock.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace canopy {

class PeerWatcher {
 public:
  virtual ~PeerWatcher() = default;
  // Keeps the watcher alive until look() has returned; false when it is ending already.
  virtual bool hold() = 0;
  // Looks at the word. Afterwards the watcher may be gone.
  virtual void look() = 0;
};

class PeerNews {
 public:
  // The bell that peers ring, from the first call on: it outlives the scheduler. True for the first call: who sleeps
  // already does not hear it yet.
  bool listen(PeerBell* bell) {
    PeerBell* none = nullptr;
    // Release: pairs with bell().
    return bell_.compare_exchange_strong(none, bell, std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  PeerBell* bell() const { return bell_.load(std::memory_order_acquire); }

  // `bits`: the bit that is raised for this word.
  void add(uint64_t bit, PeerWatcher* watcher);
  void remove(uint64_t bit, PeerWatcher* watcher);

  // Has `word` polled as well, which lies in memory that is never unmapped: until it is not `seen`. Returns where, -1 when
  // enough are. `bit` as in add().
  int poll_word(const uint64_t* word, uint64_t seen, uint64_t bit);
  void set_seen(int where, uint64_t seen);
  void forget_word(int where);

  // Bits are up, or a polled word has changed.
  bool any() const {
    const PeerBell* bell = bell_.load(std::memory_order_relaxed);
    // The words first: where one tells, its changer is still busy with the bell's line.
    return bell != nullptr && (changed_bits() != 0 || bell->has_news());
  }
  // Takes the bits, and has the words behind them looked at.
  void deal();

  // Waits that only peers can end are counted: while there are some, somebody must be able to look.
  void add_waits(int32_t count) { waits_.fetch_add(count, std::memory_order_relaxed); }
  bool has_waits() const { return waits_.load(std::memory_order_relaxed) > 0; }

  // A wait has failed, or a record was refused, because its peers are gone: from now on streams that end do not wait for those
  // who are left, who may be waiting for us.
  void note_loss() { loss_.store(true, std::memory_order_relaxed); }  // before Scheduler::note_parked(), which orders it
  void forget_loss() { loss_.store(false, std::memory_order_relaxed); }
  bool has_loss() const { return loss_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kPolledWords = 4;
  // A reader may see one entry half of a word and half of the next one: then words are looked at for nothing, or the
  // bell has to do. Relaxed, but for the word itself.
  struct Polled {
    std::atomic<const uint64_t*> word{nullptr};
    std::atomic<uint64_t> seen{0};
    std::atomic<uint64_t> bit{0};
  };
  uint64_t changed_bits() const {
    uint64_t bits = 0;
    for (int i = 0, end = polled_end_.load(std::memory_order_relaxed); i < end; ++i) {
      const uint64_t* word = polled_[i].word.load(std::memory_order_acquire);
      if (word != nullptr && load_relaxed(word) != polled_[i].seen.load(std::memory_order_relaxed)) {
        bits |= polled_[i].bit.load(std::memory_order_relaxed);
      }
    }
    return bits;
  }
  struct Bucket {
    SpinLock lock;  // guards watchers
    std::vector<PeerWatcher*> watchers;
  };
  std::atomic<PeerBell*> bell_{nullptr};
  std::atomic<int32_t> waits_{0};
  std::atomic<bool> loss_{false};
  std::atomic<int> polled_end_{0};  // those behind are not used
  Polled polled_[kPolledWords];
  std::mutex polled_mutex_;  // guards changes of polled_ and polled_end_
  std::array<Bucket, 64> buckets_;
};

}  // namespace canopy
