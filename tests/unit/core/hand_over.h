// HandOver: makes what one stream is given from now on come after what another has been given, by
// one of all the ways of the interface. Some ways use an object once, others again and again, so
// that what an earlier use has left behind shows.
#pragma once

#include "acl/acl.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace canopy::test {

struct HandOverEnd {
  aclrtContext context;
  aclrtStream stream;
  size_t index;  // of the stream, in its program
};

// Words of device memory that every device may reach, each given out once.
class WordArea {
 public:
  WordArea(uint64_t* words, size_t count) : next_(words), end_(words + count) {}
  // A word that holds `first`; null when all are used up.
  uint64_t* take(uint64_t first) {
    if (next_ == end_) {
      return nullptr;
    }
    *next_ = first;
    return next_++;
  }

 private:
  uint64_t* next_;
  uint64_t* end_;
};

class HandOver {
 public:
  static constexpr uint32_t kWays = 22;
  using Must = std::function<void(aclError code, const char* what)>;

  // `must` is told the result of every call. `words` outlives this.
  HandOver(Must must, WordArea& words) : must_(std::move(must)), words_(words) {}
  void set_up();
  void tear_down();
  // `value`: any number. REQUIRES: the caller's program has one thread.
  void run(uint32_t way, const HandOverEnd& from, const HandOverEnd& to, uint64_t value);

 private:
  static constexpr size_t kMostStreams = 4;
  // A notify that one stream waits for again and again. Its next record has to come after its last
  // wait, or the two would be one.
  struct Shared {
    void* handle = nullptr;
    bool used = false;
  };

  void by_event(uint32_t way, const HandOverEnd& from, const HandOverEnd& to);
  void by_shared_event(bool old_family, const HandOverEnd& from, const HandOverEnd& to,
                       uint64_t which);
  void by_notify(bool wait_first, const HandOverEnd& from, const HandOverEnd& to);
  void by_shared_notify(const HandOverEnd& from, const HandOverEnd& to);
  void by_counter(uint32_t test, const HandOverEnd& from, const HandOverEnd& to, uint64_t value);
  void by_counter_below(const HandOverEnd& from, const HandOverEnd& to, uint64_t value);
  void by_shared_counter(const HandOverEnd& from, const HandOverEnd& to, uint64_t value);
  bool by_value(uint32_t test, const HandOverEnd& from, const HandOverEnd& to, uint64_t value);
  bool by_kernels(const HandOverEnd& from, const HandOverEnd& to, uint64_t value);
  void come_after_last_wait(Shared& shared, const HandOverEnd& from, const HandOverEnd& to);
  void count(aclrtCntNotify counter, const HandOverEnd& by, aclrtCntNotifyRecordMode mode,
             uint64_t value);
  void await(aclrtCntNotify counter, const HandOverEnd& by, aclrtCntNotifyWaitMode mode,
             uint64_t value, bool clear);
  void enter(const HandOverEnd& end) const;

  const Must must_;
  WordArea& words_;
  std::array<aclrtEvent, 3> new_events_{};
  std::array<aclrtEvent, 2> old_events_{};
  std::array<Shared, kMostStreams> notifies_;  // by the stream that waits
  std::array<Shared, kMostStreams> counters_;
};

}  // namespace canopy::test
