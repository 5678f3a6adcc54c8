#include "launcher/bootstrap/thread_group.h"

#include "runtime/base/cache_line.h"
#include "runtime/base/check.h"
#include "runtime/base/doorbell.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"

#include <mutex>
#include <thread>

namespace canopy {

// What the PEs share. One collective at a time, as every PE must take part in each: `arrivals`
// fills up, the last one publishes the cards and starts the next round. `cards` of a round stay
// valid until the next round is full, which needs this PE too.
class ThreadGroup::Job {
 public:
  Job(int n, std::optional<std::chrono::nanoseconds> limit)
      : n_pes(n), wait_limit(limit), slots_(n), here_(n, false), taken_(n, false) {}

  const int n_pes;
  const std::optional<std::chrono::nanoseconds> wait_limit;

  Result<std::vector<std::string>> meet(int pe, std::string_view call, std::string_view card);
  void take(int pe);
  void lose(int pe, std::string reason);
  void abort(Abort abort);
  std::optional<Abort> aborted() const;

 private:
  Result<bool> arrive(int pe, std::string_view call, std::string_view card);
  Result<> lost_error(int pe, std::string_view call) const;  // REQUIRES: mutex_ held, lost_ set
  std::string missing() const;

  mutable std::mutex mutex_;        // guards everything below except reads of the two words
  std::vector<std::string> slots_;  // cards of the round that fills
  std::vector<std::string> cards_;  // cards of the last full round
  std::vector<bool> here_;          // who has arrived in the round that fills
  std::vector<bool> taken_;         // whose Bootstrap was handed out
  int arrivals_ = 0;
  std::string lost_;  // why the job cannot go on
  std::optional<Abort> abort_;

  alignas(kCacheLine) uint64_t round_ = 0;  // written under the mutex, read by waiters without
  uint32_t is_lost_ = 0;                    // the same
  Doorbell bell_;
};

void ThreadGroup::Job::take(int pe) {
  CHECK(pe >= 0 && pe < n_pes, "ask for a PE of the group");
  std::lock_guard lock(mutex_);
  CHECK(!taken_[pe], "take each PE's Bootstrap once");
  taken_[pe] = true;
}

void ThreadGroup::Job::lose(int pe, std::string reason) {
  {
    std::lock_guard lock(mutex_);
    if (!lost_.empty()) {
      return;  // the first cause is the one to tell
    }
    lost_ = fmt::format("pe {} of {} {}", pe, n_pes, reason);
    // Pairs with the acquire in meet().
    store_release(&is_lost_, 1);
  }
  bell_.ring(BellScope::process);
}

void ThreadGroup::Job::abort(Abort abort) {
  {
    std::lock_guard lock(mutex_);
    if (!abort_) {
      abort_ = abort;
    }
  }
  lose(abort.pe, fmt::format("ended the job with status {}: {}", abort.status, abort.reason));
}

std::optional<ThreadGroup::Abort> ThreadGroup::Job::aborted() const {
  std::lock_guard lock(mutex_);
  return abort_;
}

Result<> ThreadGroup::Job::lost_error(int pe, std::string_view call) const {
  return fail(Errc::peer_lost, "pe {} of {}: {} cannot complete: {}", pe, n_pes, call, lost_);
}

std::string ThreadGroup::Job::missing() const {
  std::lock_guard lock(mutex_);
  std::string list;
  for (int pe = 0; pe < n_pes; ++pe) {
    if (!here_[pe]) {
      list += fmt::format("{}pe {}", list.empty() ? "" : ", ", pe);
    }
  }
  return list;
}

// True when this arrival completed the round.
Result<bool> ThreadGroup::Job::arrive(int pe, std::string_view call, std::string_view card) {
  std::lock_guard lock(mutex_);
  if (!lost_.empty()) {
    CANOPY_TRY(lost_error(pe, call));
  }
  slots_[pe].assign(card);
  here_[pe] = true;
  if (++arrivals_ < n_pes) {
    return false;
  }
  cards_ = slots_;
  here_.assign(n_pes, false);
  arrivals_ = 0;
  // Publishes cards_; pairs with the acquire in meet().
  store_release(&round_, round_ + 1);
  return true;
}

Result<std::vector<std::string>> ThreadGroup::Job::meet(int pe, std::string_view call,
                                                        std::string_view card) {
  // Relaxed: only a round that includes this PE can change the word before arrive().
  const uint64_t before = load_relaxed(&round_);
  CANOPY_ASSIGN(const bool last, arrive(pe, call, card));
  if (last) {
    bell_.ring(BellScope::process);
    return cards_;
  }
  const Deadline deadline = wait_limit ? Deadline::after(*wait_limit) : Deadline::user_default();
  const WaitEnd end = wait_until(
      // Acquire: pair with the releases in arrive() and lose().
      [&] { return load_acquire(&round_) != before || load_acquire(&is_lost_) != 0; }, &bell_,
      BellScope::process, deadline,
      [&] {
        return fmt::format("pe {} of {} in {}; not there yet: {}", pe, n_pes, call, missing());
      });
  if (load_acquire(&round_) != before) {
    return cards_;  // a full round counts even if somebody was lost right after it
  }
  if (end == WaitEnd::deadline) {
    const std::string absent = missing();
    lose(pe, fmt::format("gave up in {}: {} did not come before the deadline", call, absent));
    return fail(Errc::timeout, "pe {} of {}: {} timed out; not there: {}", pe, n_pes, call, absent);
  }
  std::lock_guard lock(mutex_);
  return tl::unexpected(lost_error(pe, call).error());
}

class ThreadGroup::ThreadBootstrap final : public Bootstrap {
 public:
  ThreadBootstrap(std::shared_ptr<Job> job, int pe) : job_(std::move(job)), pe_(pe) {}
  ~ThreadBootstrap() override {
    if (!finalized_) {
      job_->lose(pe_, "left the job without finalize");
    }
  }

  int pe() const override { return pe_; }
  int n_pes() const override { return job_->n_pes; }
  std::string_view kind() const override { return "threads"; }

  Result<std::vector<std::string>> exchange(std::string_view card) override {
    return meet("exchange", card);
  }
  Result<> barrier() override {
    CANOPY_TRY(meet("barrier", {}));
    return {};
  }
  void abort(int status, std::string_view reason) override {
    job_->abort({pe_, status, std::string(reason)});
  }
  Result<> finalize() override {
    if (finalized_) {
      return {};
    }
    CANOPY_TRY(meet("finalize", {}));
    finalized_ = true;
    return {};
  }

 private:
  Result<std::vector<std::string>> meet(std::string_view call, std::string_view card) {
    if (finalized_) {
      return fail(Errc::closed, "pe {} of {}: {} after finalize", pe_, n_pes(), call);
    }
    return job_->meet(pe_, call, card);
  }

  std::shared_ptr<Job> job_;
  int pe_;
  bool finalized_ = false;
};

ThreadGroup::ThreadGroup(int n_pes, std::optional<std::chrono::nanoseconds> wait_limit)
    : job_(std::make_shared<Job>(n_pes, wait_limit)) {
  CHECK(n_pes > 0, "a job has at least one PE");
}

ThreadGroup::~ThreadGroup() = default;

std::unique_ptr<Bootstrap> ThreadGroup::bootstrap(int pe) {
  job_->take(pe);
  return std::make_unique<ThreadBootstrap>(job_, pe);
}

void ThreadGroup::abandon(int pe, std::string_view reason) { job_->lose(pe, std::string(reason)); }

void ThreadGroup::run(const std::function<void(std::unique_ptr<Bootstrap>)>& body) {
  std::vector<std::jthread> threads;
  threads.reserve(job_->n_pes);
  for (int pe = 0; pe < job_->n_pes; ++pe) {
    std::jthread thread;
    if (!start_thread(&thread, fmt::format("PE {} of {}", pe, job_->n_pes),
                      [this, &body, pe] { body(bootstrap(pe)); })) {
      const std::string why = error_text::take_newest();
      for (int missing = pe; missing < job_->n_pes; ++missing) {
        abandon(missing, why);  // else the others wait for them
      }
      return;
    }
    threads.push_back(std::move(thread));
  }
}

std::optional<ThreadGroup::Abort> ThreadGroup::aborted() const { return job_->aborted(); }

}  // namespace canopy
