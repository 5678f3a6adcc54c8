// IdPool: the small numbers by which a device knows its events or notifies. Freed ones are used
// again, the lowest never used comes next. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace canopy {

class IdPool {
 public:
  explicit IdPool(uint32_t limit = 65536) : limit_(limit) {}

  // Nothing when all `limit` are in use.
  std::optional<uint32_t> take() {
    std::lock_guard lock(mutex_);
    if (!returned_.empty()) {
      const uint32_t id = returned_.back();
      returned_.pop_back();
      return id;
    }
    return next_ < limit_ ? std::optional(next_++) : std::nullopt;
  }
  void give(uint32_t id) {
    std::lock_guard lock(mutex_);
    returned_.push_back(id);
  }
  uint32_t available() const {
    std::lock_guard lock(mutex_);
    return limit_ - next_ + static_cast<uint32_t>(returned_.size());
  }
  uint32_t limit() const { return limit_; }

 private:
  const uint32_t limit_;
  mutable std::mutex mutex_;  // guards all below
  uint32_t next_ = 0;
  std::vector<uint32_t> returned_;
};

}  // namespace canopy
