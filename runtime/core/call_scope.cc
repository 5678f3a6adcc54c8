#include "runtime/core/call_scope.h"

#include "runtime/base/thread_instance.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace canopy {
namespace {

struct RunningCall {
  std::shared_ptr<const CallTurn> turn;
  uint64_t seen;
  // Acquire: all that the call did lies before what comes next here; pairs with its end.
  bool is_over() const { return turn->turn.load(std::memory_order_acquire) != seen; }
  bool operator==(const RunningCall&) const = default;
};

struct Kept {
  std::vector<std::shared_ptr<void>> objects;
  std::vector<RunningCall> calls;
};

class Calls {
 public:
  static Calls& instance() {
    static auto* const calls = new Calls;  // threads end late
    return *calls;
  }
  std::shared_ptr<CallTurn> add() {
    auto turn = std::make_shared<CallTurn>();
    std::lock_guard lock(mutex_);
    turns_.push_back(turn);
    return turn;
  }
  void remove(const CallTurn* turn) {
    std::lock_guard lock(mutex_);
    std::erase_if(turns_, [&](const auto& each) { return each.get() == turn; });
  }
  void keep(std::shared_ptr<void> object, const CallTurn* mine) {
    std::vector<std::shared_ptr<void>> free;  // deleted without the lock
    std::lock_guard lock(mutex_);
    take_free(&free);
    // Whoever has not begun by now finds the object no more; whoever has is seen below.
    membarrier(BellScope::process);
    std::vector<RunningCall> calls;
    for (const auto& turn : turns_) {
      const uint64_t seen = turn->turn.load(std::memory_order_acquire);
      if (seen % 2 != 0 && turn.get() != mine) {
        calls.push_back({turn, seen});
      }
    }
    if (calls.empty()) {
      free.push_back(std::move(object));
    } else if (!kept_.empty() && kept_.back().calls == calls) {  // of a reset with thousands, under one call that blocks
      kept_.back().objects.push_back(std::move(object));
    } else {
      kept_.emplace_back().objects.push_back(std::move(object));
      kept_.back().calls = std::move(calls);
    }
  }

 private:
  // REQUIRES: mutex_ held.
  void take_free(std::vector<std::shared_ptr<void>>* free) {
    std::erase_if(kept_, [&](Kept& kept) {
      std::erase_if(kept.calls, [](const RunningCall& call) { return call.is_over(); });
      if (!kept.calls.empty()) {
        return false;
      }
      std::move(kept.objects.begin(), kept.objects.end(), std::back_inserter(*free));
      return true;
    });
  }

  std::mutex mutex_;  // guards all below
  std::vector<std::shared_ptr<CallTurn>> turns_;
  std::vector<Kept> kept_;
};

}  // namespace

struct CallTurnOfThread {
  std::shared_ptr<CallTurn> turn = Calls::instance().add();
  ~CallTurnOfThread() {
    CallScope::t_turn_ = nullptr;
    // A thread that ends within a call (a callback's pthread_exit()) is in none any more.
    turn->turn.fetch_add(2, std::memory_order_release);
    Calls::instance().remove(turn.get());
  }
};

CallTurn& CallScope::turn_of_thread() {
  t_turn_ = thread_instance<struct CallTurnTag, CallTurnOfThread>().turn.get();
  return *t_turn_;
}

void keep_for_calls(std::shared_ptr<void> object) {
  const CallTurn* const mine = thread_instance<struct CallTurnTag, CallTurnOfThread>().turn.get();
  Calls::instance().keep(std::move(object), mine);
}

}  // namespace canopy
