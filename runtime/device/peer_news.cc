#include "runtime/device/peer_news.h"

#include <bit>

namespace canopy {

void PeerNews::add(uint64_t bit, PeerWatcher* watcher) {
  Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bit))];
  std::lock_guard lock(bucket.mutex);
  bucket.watchers.push_back(watcher);
}

void PeerNews::remove(uint64_t bit, PeerWatcher* watcher) {
  Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bit))];
  std::lock_guard lock(bucket.mutex);
  std::erase(bucket.watchers, watcher);
}

void PeerNews::deal() {
  uint64_t bits = bell_.load(std::memory_order_acquire)->take();
  std::vector<PeerWatcher*> held;
  while (bits != 0) {
    Bucket& bucket = buckets_[static_cast<size_t>(std::countr_zero(bits))];
    bits &= bits - 1;
    // Looked at outside of the lock: a look may end the watcher, which then takes itself out of the bucket.
    {
      std::lock_guard lock(bucket.mutex);
      for (PeerWatcher* watcher : bucket.watchers) {
        if (watcher->hold()) {
          held.push_back(watcher);
        }
      }
    }
    for (PeerWatcher* watcher : held) {
      watcher->look();
    }
    held.clear();
  }
}

}  // namespace canopy
