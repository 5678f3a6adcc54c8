#include "runtime/device/peer_news.h"

#include <algorithm>
#include <bit>

namespace canopy {

void PeerNews::add(uint64_t bit, PeerWatcher* watcher) {
  Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bit))];
  std::vector<PeerWatcher*> larger;  // got, and the one before freed, outside of the lock
  for (;;) {
    {
      std::lock_guard lock(bucket.lock);
      std::vector<PeerWatcher*>& watchers = bucket.watchers;
      if (watchers.size() == watchers.capacity() && larger.capacity() > watchers.size()) {
        larger.assign(watchers.begin(), watchers.end());
        watchers.swap(larger);
      }
      if (watchers.size() < watchers.capacity()) {
        watchers.push_back(watcher);
        return;
      }
      larger.clear();
    }
    larger.reserve(2 * larger.capacity() + 2);
  }
}

void PeerNews::remove(uint64_t bit, PeerWatcher* watcher) {
  Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bit))];
  std::lock_guard lock(bucket.lock);
  std::erase(bucket.watchers, watcher);
}

int PeerNews::poll_word(const uint64_t* word, uint64_t seen, uint64_t bit) {
  std::lock_guard lock(polled_mutex_);
  for (int i = 0; i < kPolledWords; ++i) {
    if (polled_[i].word.load(std::memory_order_relaxed) == nullptr) {
      polled_[i].seen.store(seen, std::memory_order_relaxed);
      polled_[i].bit.store(bit, std::memory_order_relaxed);
      polled_[i].word.store(word, std::memory_order_release);
      polled_end_.store(std::max(i + 1, polled_end_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
      return i;
    }
  }
  return -1;
}

void PeerNews::set_seen(int where, uint64_t seen) { polled_[where].seen.store(seen, std::memory_order_relaxed); }

void PeerNews::forget_word(int where) {
  std::lock_guard lock(polled_mutex_);
  polled_[where].word.store(nullptr, std::memory_order_relaxed);
  int end = polled_end_.load(std::memory_order_relaxed);
  while (end > 0 && polled_[end - 1].word.load(std::memory_order_relaxed) == nullptr) {
    --end;
  }
  polled_end_.store(end, std::memory_order_relaxed);
}

void PeerNews::deal() {
  // The bell's line is left alone when a word tells: its changer is about to ring, and what it rings for is then found
  // to be dealt with.
  PeerBell* const bell = bell_.load(std::memory_order_acquire);
  uint64_t bits = changed_bits();
  const bool word_told = bits != 0;
  if (!word_told) {
    bits = bell->take();
  }
  constexpr size_t kAtOnce = 16;
  PeerWatcher* held[kAtOnce];
  while (bits != 0) {
    Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bits))];
    bits &= bits - 1;
    // Looked at outside of the lock: a look may end the watcher, which then takes itself out of the bucket. From the last
    // one down: when some go meanwhile, others are looked at twice, and none is left out. (Who comes meanwhile looks by
    // itself.)
    size_t end = ~size_t{0};
    do {
      size_t count = 0;
      {
        std::lock_guard lock(bucket.lock);
        end = std::min(end, bucket.watchers.size());
        while (end > 0 && count < kAtOnce) {
          --end;
          held[count] = bucket.watchers[end];
          count += held[count]->hold() ? 1 : 0;
        }
      }
      for (size_t i = 0; i < count; ++i) {
        held[i]->look();
      }
    } while (end > 0);
  }
  if (word_told) {
    prefetch_for_write(bell);  // its changer has raised the bit by now, and the next look is soon
  }
}

}  // namespace canopy
