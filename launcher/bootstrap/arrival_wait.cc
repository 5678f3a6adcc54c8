#include "launcher/bootstrap/arrival_wait.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <numeric>

namespace canopy {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// Together with the launcher's 2 s from abort to SIGKILL these keep the end of a job within 5 s of
// the end of a PE: up to 1 s to the next look, 0.25 s to the one that confirms it, 0.5 s at most
// for the PE that speaks, and 1 s for an answer from PE 0's host if that is another one.
constexpr uint64_t kLookNs = kSecondNs;
constexpr uint64_t kConfirmNs = kSecondNs / 4;
// Longer than it takes to become certain, and than the launcher needs when another PE has spoken.
constexpr uint64_t kDoubtNs = 3 * kSecondNs;
constexpr uint64_t kReportNs = 60 * kSecondNs;
// Between two questions to a server that answers "not found" at once.
constexpr uint64_t kFirstPauseNs = kSecondNs / 1000;
constexpr uint64_t kLongestPauseNs = 16 * kFirstPauseNs;
// A little more than the second that PmixGets::Patience::one_second gives the servers.
constexpr std::chrono::milliseconds kAnswers{1500};
// A host that has the answer to "is the call complete" has it at hand.
constexpr std::chrono::milliseconds kReleaseAnswer{500};

}  // namespace

ArrivalWait::ArrivalWait(const PmixSession& session, std::string_view call,
                         const std::string& arrival_key, const std::string& release_key,
                         uint64_t generation, Deadline deadline)
    : session_(session),
      call_(call),
      arrival_key_(arrival_key),
      release_key_(release_key),
      here_key_(fmt::format("canopy.here.{}", generation)),
      spoken_key_(fmt::format("canopy.spoken.{}", generation)),
      deadline_(deadline),
      start_ns_(monotonic_ns()),
      next_look_ns_(start_ns_ + kLookNs),
      next_report_ns_(start_ns_ + kReportNs) {}

void ArrivalWait::mark_here() {
  if (!marked_here_) {
    marked_here_ = true;
    // A failure only makes a later report less exact.
    (void)put_flag(session_, here_key_).and_then([&] { return commit(session_); });
  }
}

// Whether the PEs that are gone have left because all had come. The answer of our own server also
// brings what it sent before. PE 0 itself knows.
bool ArrivalWait::is_released() const {
  const PmixJob& job = session_.job();
  if (job.pe == 0) {
    return false;
  }
  const bool near = std::binary_search(job.local_pes.begin(), job.local_pes.end(), 0);
  const auto patience = near ? PmixGets::Patience::none : PmixGets::Patience::one_second;
  return pes_without(session_, release_key_, {0}, patience, kReleaseAnswer).empty();
}

bool ArrivalWait::somebody_has_spoken(const std::vector<int>& ended) const {
  const auto& local = session_.job().local_pes;
  std::vector<int> living;
  std::set_difference(local.begin(), local.end(), ended.begin(), ended.end(),
                      std::back_inserter(living));
  const size_t n = living.size();
  return pes_without(session_, spoken_key_, std::move(living), PmixGets::Patience::none, kAnswers)
             .size() < n;
}

// The sentence about PEs of this host that have ended, once that is certain and it is our turn.
std::optional<std::string> ArrivalWait::lost_siblings() {
  const uint64_t now_ns = monotonic_ns();
  const PmixJob& job = session_.job();
  if (!watch_) {
    watch_.emplace(job.nspace, job.pe, job.local_pes, ::getpid());
  }
  const SiblingReport report = watch_->look();
  if (report.ended.empty()) {
    speak_at_ns_ = 0;
    return std::nullopt;
  }
  // The lowest living PE of the host speaks. It may be busy elsewhere, so the next one takes over
  // after a moment, unless it finds that somebody has spoken.
  if (speak_at_ns_ == 0) {
    speak_at_ns_ = now_ns + std::min(report.living_before, 2) * kConfirmNs;
  }
  if (now_ns < speak_at_ns_) {
    return std::nullopt;
  }
  released_ = is_released();
  if (released_ || somebody_has_spoken(report.ended)) {
    return std::nullopt;
  }
  (void)put_flag(session_, spoken_key_).and_then([&] { return commit(session_); });
  return ended_sentence(report.ended, job.n_pes, session_.name(), call_);
}

// A PE has come if it has said so to its parent, or has marked itself because others are late.
std::vector<int> ArrivalWait::without_sign(std::vector<int> pes,
                                           PmixGets::Patience patience) const {
  auto silent = pes_without(session_, here_key_, std::move(pes), patience, kAnswers);
  return pes_without(session_, arrival_key_, std::move(silent), PmixGets::Patience::none, kAnswers);
}

std::string ArrivalWait::missing_pes() {
  mark_here();
  std::vector<int> all(session_.job().n_pes);
  std::iota(all.begin(), all.end(), 0);
  const auto missing = without_sign(std::move(all), PmixGets::Patience::one_second);
  return missing.empty() ? "nobody; the launcher's PMIx servers are slow" : name_pes(missing);
}

// One report per host: from the lowest of its PEs that has come here.
void ArrivalWait::report_if_first_on_host() {
  const PmixJob& job = session_.job();
  std::vector<int> before;
  std::copy_if(job.local_pes.begin(), job.local_pes.end(), std::back_inserter(before),
               [&](int pe) { return pe < job.pe; });
  const size_t n = before.size();
  if (without_sign(std::move(before), PmixGets::Patience::none).size() == n) {
    report(fmt::format("{} still waits in {} after {} s; not there: {}", session_.name(), call_,
                       (monotonic_ns() - start_ns_) / kSecondNs, missing_pes()));
  }
}

// What is due in a wait that lasts. Stays here for a while when PEs seem to be lost, until that is
// certain: with our own question open, others about the same PE would not be answered.
Result<> ArrivalWait::look() {
  const uint64_t give_up_ns = monotonic_ns() + kDoubtNs;
  while (monotonic_ns() >= next_look_ns_ && monotonic_ns() < give_up_ns) {
    mark_here();
    if (auto sentence = lost_siblings()) {
      return fail(Errc::peer_lost, "{}", *sentence);
    }
    if (!watch_->suspects() || released_) {
      next_look_ns_ = monotonic_ns() + kLookNs;
      break;
    }
    pause(kConfirmNs);
  }
  const uint64_t now = monotonic_ns();
  if (deadline_.passed(now)) {
    const std::string missing = missing_pes();
    return fail(Errc::timeout, "{}: {} did not complete within {} s; not there: {}",
                session_.name(), call_, (now - start_ns_) / kSecondNs, missing);
  }
  if (now >= next_report_ns_) {
    next_report_ns_ += kReportNs;
    report_if_first_on_host();
  }
  return {};
}

void ArrivalWait::pause(uint64_t span_ns) {
  wait_until([] { return false; }, nullptr, BellScope::process,
             Deadline::after(std::chrono::nanoseconds(span_ns)),
             [&] { return fmt::format("{} in {}", session_.name(), call_); });
}

void ArrivalWait::await_answers(PmixGets& gets) {
  wait_until([&] { return gets.all_answered(); }, &gets.bell(), BellScope::process,
             Deadline::after(kAnswers),
             [&] { return fmt::format("{} in {}", session_.name(), call_); });
}

Result<> ArrivalWait::wait(PmixGets& gets) {
  uint64_t pause_ns = kFirstPauseNs;
  for (;;) {
    await_answers(gets);
    if (gets.all_found()) {
      return {};
    }
    // Now no question is open, except one about a PE of another host that has never been heard of.
    CANOPY_TRY(look());
    pause(pause_ns);
    pause_ns = std::min(2 * pause_ns, kLongestPauseNs);
    gets.ask_again();
  }
}

}  // namespace canopy
