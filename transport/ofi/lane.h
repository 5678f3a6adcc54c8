// Lane: what a context knows of its traffic to one peer - what a quiet has to wait for and what a
// fence holds back.
//
// Outstanding operations are counted in generations. A quiet closes the open generation and waits
// until it and all before it are empty; what is posted later counts in the next one, so that a
// quiet never waits for what came after it.
//
// Not thread-safe: the context that owns it holds its baton.
#pragma once

#include "runtime/base/result.h"
#include "transport/ofi/provider.h"

#include <rdma/fabric.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace canopy::transport::ofi {

class Generations {
 public:
  // Counts one operation; the number goes back into remove().
  uint32_t add() {
    ++counts_.back();
    return last();
  }
  // True when the oldest generations became complete.
  bool remove(uint32_t generation) {
    --counts_[generation - first_];
    return drop_empty();
  }
  // The newest generation with something in it, which nothing joins any more; call only when
  // !empty().
  uint32_t close() {
    if (counts_.back() != 0) {
      counts_.push_back(0);
    }
    return last() - 1;
  }
  bool empty() const { return counts_.size() == 1 && counts_.front() == 0; }
  // Free-running numbers: compared by their distance.
  bool complete(uint32_t generation) const { return static_cast<int32_t>(first_ - generation) > 0; }
  void clear() {
    first_ = last() + 1;
    counts_.assign(1, 0);
  }

 private:
  uint32_t last() const { return first_ + static_cast<uint32_t>(counts_.size()) - 1; }
  bool drop_empty() {
    bool dropped = false;
    while (counts_.size() > 1 && counts_.front() == 0) {
      counts_.pop_front();
      ++first_;
      dropped = true;
    }
    return dropped;
  }
  uint32_t first_ = 0;
  std::deque<uint32_t> counts_ = {0};  // never empty; the last one is open
};

struct PendingQuiet;

struct Lane {
  bool active = false;   // in the context's list of lanes that a quiet looks at
  bool greeted = false;  // our hello is on its way before any other message
  bool lost = false;
  // Puts whose arrival nothing vouches for yet, messages whose execution nothing does.
  bool dirty_puts = false;
  bool dirty_messages = false;
  // A flush that is counted already, but for which the provider had no room yet. Whenever it goes,
  // it stands for everything posted before.
  struct Due {
    bool yes = false;
    uint32_t generation = 0;
  };
  Due put_flush;
  Due message_flush;
  uint32_t puts_out = 0;      // at the provider, not completed
  uint32_t requests_out = 0;  // messages whose reply has not come
  // What later posts wait for, after a fence that the provider's order does not give.
  bool hold_puts = false;
  bool hold_messages = false;
  bool hold_is_closed = false;
  uint32_t hold_generation = 0;
  Errc failed = Errc::ok;  // of something without a ticket: the next quiet's
  Generations outstanding;
  struct Waiter {
    uint32_t generation;
    PendingQuiet* quiet;
  };
  std::vector<Waiter> waiters;

  bool dirty() const { return dirty_puts || dirty_messages; }
  bool flush_due() const { return put_flush.yes || message_flush.yes; }
  bool clean() const { return !dirty() && outstanding.empty() && failed == Errc::ok; }
  bool puts_pending() const { return dirty_puts || puts_out != 0; }
  bool messages_pending() const { return dirty_messages || requests_out != 0; }

  void fence(const Guarantees& given) {
    // A message is executed by the target's CPU, so no order of the network holds a put back.
    hold_puts |= messages_pending() || (!given.puts_in_order && puts_pending());
    hold_messages |= !given.message_after_puts && puts_pending();
    hold_is_closed = false;
  }
};

}  // namespace canopy::transport::ofi
