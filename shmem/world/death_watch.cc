#include "shmem/world/death_watch.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "shmem/world/world.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace canopy::shmem {
namespace {

// How long those who know better may take to speak: more than a launcher takes to end a job that a
// survivor has aborted (mpirun sends SIGTERM after 1 s).
constexpr auto kSpeakFirst = std::chrono::milliseconds(1500);
// A launcher that ends the job ends it host by host: how long a host that goes first may be ahead.
constexpr auto kSameBlow = std::chrono::milliseconds(300);
// From one host's turn to speak to the next one's: by then the first one's notice has come.
constexpr auto kTurn = std::chrono::milliseconds(500);
// A notice that begins so is no report: the host whose number follows leaves in order.
constexpr std::string_view kDeparture = "leaves in order: host ";
// One that begins so ends the job with kMisuseStatus, others with kPeerLostStatus.
constexpr std::string_view kMisuse = "misuse: ";

}  // namespace

DeathWatch::~DeathWatch() {
  stop();
  ending_.request_stop();
  ending_bell_.ring(BellScope::process);
}

Result<> DeathWatch::start(std::unique_ptr<HostWatch> watch, std::vector<std::string> addresses) {
  watch_ = std::move(watch);
  host_gone_.assign(world_.plan().hosts().size(), false);
  if (watch_ == nullptr) {
    return {};
  }
  return watch_->start(
      world_.plan().host_of(world_.my_pe()), std::move(addresses),
      {.on_host_silent = [this](int host, std::string_view why) { on_host_silent(host, why); },
       .on_notice = [this](std::string_view notice) { on_notice(notice); }});
}

void DeathWatch::stop() {
  if (watch_ != nullptr) {
    watch_->leave();
  }
}

// The page of the host's first PE is memory that we hold too, and stays when its owner dies.
bool DeathWatch::claim() {
  const int first =
      world_.plan().hosts()[static_cast<size_t>(world_.plan().host_of(world_.my_pe()))].front();
  uint32_t nobody = 0;
  return std::atomic_ref<uint32_t>(world_.control(first).death_report)
      .compare_exchange_strong(nobody, 1, std::memory_order_acq_rel);
}

void DeathWatch::report_once(const std::string& sentence, int status) {
  known_.store(true, std::memory_order_release);
  if (claim()) {
    report(sentence);
  }
  if (watch_ != nullptr) {
    // When it cannot, the launcher's abort has to do.
    (void)watch_->tell_all(status == kMisuseStatus ? std::string(kMisuse) + sentence : sentence);
  }
}

void DeathWatch::end(int status) {
  world_.bootstrap().abort(status, "");  // without a reason: it has been told
  ::_exit(status);                       // the launcher did not end us in time
}

// On the broker's thread.
void DeathWatch::on_local_death(int pe) {
  if (silent_.load(std::memory_order_acquire) || departing_.load(std::memory_order_acquire) ||
      load_acquire(&world_.control(pe).leaving) != 0) {
    return;
  }
  const Card& card = world_.card(pe);
  report_once(fmt::format("PE {} (pid {} on host {}) died without finalize; the job ends", pe,
                          card.pid, card.host.text()),
              kPeerLostStatus);
  end(kPeerLostStatus);
}

bool DeathWatch::tell_departure() {
  const PathPlan& plan = world_.plan();
  return watch_ != nullptr && plan.groups() == plan.hosts() &&
         watch_->tell_all(fmt::format("{}{}", kDeparture, plan.host_of(world_.my_pe()))).has_value();
}

// What its PEs sent before has arrived: they waited for that before they left.
void DeathWatch::on_departure(std::string_view host) {
  const PathPlan& plan = world_.plan();
  const int n = static_cast<int>(plan.groups().size());
  int gone = -1;
  const auto [end, error] = std::from_chars(host.data(), host.data() + host.size(), gone);
  if (error != std::errc() || end != host.data() + host.size() || gone < 0 || gone >= n) {
    log(LogLevel::error, "another host says that host '{}' leaves: there are {}", host, n);
    return;
  }
  FarBarrier::note_leaving(world_.control(world_.my_pe()), plan.group_of(world_.my_pe()), gone, n);
}

// On the HostWatch's thread: another host has reported.
void DeathWatch::on_notice(std::string_view notice) {
  if (notice.starts_with(kDeparture)) {
    on_departure(notice.substr(kDeparture.size()));
    return;
  }
  log(LogLevel::info, "told by another host: {}", notice);
  known_.store(true, std::memory_order_release);
  end(notice.starts_with(kMisuse) ? kMisuseStatus : kPeerLostStatus);
}

// On the HostWatch's thread.
void DeathWatch::on_host_silent(int host, std::string_view reason) {
  const auto& hosts = world_.plan().hosts();
  const int mine = world_.plan().host_of(world_.my_pe());
  if (silent_.load(std::memory_order_acquire) || host == mine) {
    return;
  }
  const auto& members = hosts[static_cast<size_t>(host)];
  const std::string sentence =
      fmt::format("PE {} on host {} cannot be reached any more: {}; the job ends",
                  fmt::join(members, ", "), world_.card(members.front()).host.text(), reason);
  std::chrono::nanoseconds turn;
  {
    std::lock_guard lock(mutex_);
    host_gone_[static_cast<size_t>(host)] = true;
    turn = my_turn();
  }
  for (const int pe : members) {
    on_transport_loss(pe, sentence);
  }
  end_later(sentence, (members.size() == 1 ? kSameBlow : kSpeakFirst) + turn, kPeerLostStatus);
}

// The hosts that are left speak in their order. REQUIRES: mutex_ held.
std::chrono::nanoseconds DeathWatch::my_turn() const {
  const auto mine = static_cast<ptrdiff_t>(world_.plan().host_of(world_.my_pe()));
  return kTurn * std::count(host_gone_.begin(), host_gone_.begin() + mine, false);
}

// Ends the job `after` that time, with `sentence` unless somebody has spoken: its callers are
// callbacks, which must not wait. Of several the earliest counts.
void DeathWatch::end_later(const std::string& sentence, std::chrono::nanoseconds after, int status) {
  std::unique_lock lock(mutex_);
  const uint64_t at = monotonic_ns() + static_cast<uint64_t>(after.count());
  if (ending_.joinable()) {
    if (at < end_at_ns_) {
      end_at_ns_ = at;
      last_words_ = sentence;
      end_status_ = status;
      ending_bell_.ring(BellScope::process);
    }
    return;
  }
  end_at_ns_ = at;
  last_words_ = sentence;
  end_status_ = status;
  if (start_thread(&ending_, "the end of the job", [this](const std::stop_token& stop) { wait_and_end(stop); })) {
    return;
  }
  lock.unlock();
  log(LogLevel::warn, "the job ends at once: {}", error_text::take_newest());
  if (!known_.load(std::memory_order_acquire)) {
    report_once(sentence, status);
  }
  end(status);
}

void DeathWatch::wait_and_end(const std::stop_token& stop) {
  const auto left_ns = [this] {
    std::lock_guard lock(mutex_);
    const uint64_t now = monotonic_ns();
    return now < end_at_ns_ ? end_at_ns_ - now : 0;
  };
  for (uint64_t left = left_ns(); left != 0 && !stop.stop_requested(); left = left_ns()) {
    ending_bell_.sleep(BellScope::process, std::chrono::nanoseconds(left),
                       [&] { return !stop.stop_requested() && left_ns() != 0; });
  }
  if (stop.stop_requested() || silent_.load(std::memory_order_acquire)) {
    return;
  }
  std::string sentence;
  int status = 0;
  {
    std::lock_guard lock(mutex_);
    sentence = last_words_;
    status = end_status_;
  }
  if (!known_.load(std::memory_order_acquire)) {
    report_once(sentence, status);
  }
  end(status);
}

void DeathWatch::on_transport_loss(int pe, std::string_view sentence) {
  std::lock_guard lock(mutex_);
  const bool told = std::any_of(losses_.begin(), losses_.end(),
                                [&](const auto& loss) { return loss.first == pe; });
  if (!told) {
    losses_.emplace_back(pe, sentence);
  }
}

std::string DeathWatch::loss_of(int pe) const {
  std::lock_guard lock(mutex_);
  for (const auto& [lost, sentence] : losses_) {
    if (lost == pe || pe < 0) {
      return fmt::format("PE {}: {}", lost, sentence);
    }
  }
  return "";
}

void DeathWatch::operation_failed(const std::string& sentence) {
  std::chrono::nanoseconds turn;
  {
    std::lock_guard lock(mutex_);
    turn = my_turn();
  }
  // A host that is dead or cut off is told by the watch of the hosts, which knows more.
  const auto watch = world_.plan().hosts().size() > 1 ? HostWatch::usual_timeout() : std::chrono::milliseconds(0);
  end_later(sentence, watch + kSpeakFirst + turn, kPeerLostStatus);
  for (;;) {
    ::pause();  // the thread that ends the job ends this one
  }
}

// On one host whoever claims the page speaks at once. Between hosts their leaders do, in turn, because a notice of
// theirs silences the others; if no leader waits for that PE, whoever does speaks when they have had their turns.
void DeathWatch::waits_in_vain(const std::string& sentence) {
  std::fflush(nullptr);
  const auto hosts = world_.plan().hosts().size();
  std::chrono::nanoseconds after = kSpeakFirst;
  if (hosts == 1 && claim()) {
    report(sentence);
    end(kMisuseStatus);
  } else if (hosts > 1) {
    std::lock_guard lock(mutex_);
    after = my_turn() + (watch_ != nullptr ? std::chrono::nanoseconds(0) : kTurn * static_cast<int64_t>(hosts));
  }
  end_later(sentence, after, kMisuseStatus);
  for (;;) {
    ::pause();
  }
}

}  // namespace canopy::shmem
