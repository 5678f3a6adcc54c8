#include "launcher/bootstrap/fence_wait.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

#include <pmix.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace canopy {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// Together with the launcher's 2 s from SIGTERM to SIGKILL these keep the end of a job within 5 s
// of the end of a PE: up to 1 s to the next look, 0.25 s to the one that confirms it, 0.5 s at most
// for the PE that speaks.
constexpr uint64_t kFirstLookNs = kSecondNs;
constexpr uint64_t kNextLookNs = kSecondNs;
constexpr uint64_t kConfirmNs = kSecondNs / 4;
constexpr uint64_t kReportNs = 60 * kSecondNs;
constexpr std::chrono::milliseconds kMarks{1500};

std::string host_name() {
  char name[256] = {};  // POSIX: at most 255
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "this host";
}

}  // namespace

FenceWait::FenceWait(const PmixSession& session, PmixFence& fence, std::string_view call,
                     uint64_t generation)
    : session_(session),
      fence_(fence),
      call_(call),
      here_(session, fmt::format("canopy.here.{}", generation)),
      spoken_(session, fmt::format("canopy.spoken.{}", generation)),
      start_ns_(monotonic_ns()),
      next_look_ns_(start_ns_ + kFirstLookNs),
      next_report_ns_(start_ns_ + kReportNs) {}

// The sentence about PEs of this host that have ended, once that is certain and it is our turn.
std::optional<std::string> FenceWait::lost_siblings(uint64_t now_ns) {
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
  const uint64_t turn = std::min(report.living_before, 2) * kConfirmNs;
  if (speak_at_ns_ == 0) {
    speak_at_ns_ = now_ns + turn;
  }
  if (now_ns < speak_at_ns_) {
    return std::nullopt;
  }
  // The PEs may have ended because the fence is complete, and we are only late in hearing of it.
  // The question goes to the server that would have told us, so afterwards we know.
  if (somebody_has_spoken(report.ended) || fence_.done()) {
    return std::nullopt;
  }
  spoken_.leave();
  return fmt::format("{} of {} on {} ended before {} joined the job ({} waits in {})",
                     name_pes(report.ended), job.n_pes, host_name(),
                     report.ended.size() == 1 ? "it" : "they", session_.name(), call_);
}

bool FenceWait::somebody_has_spoken(std::span<const int> ended) {
  const PmixJob& job = session_.job();
  std::vector<int> living;
  std::set_difference(job.local_pes.begin(), job.local_pes.end(), ended.begin(), ended.end(),
                      std::back_inserter(living));
  return spoken_.missing_here(living).size() < living.size();
}

std::string FenceWait::missing_pes() {
  here_.leave();
  std::vector<int> all(session_.job().n_pes);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<int> missing = here_.missing(all, kMarks);
  return missing.empty() ? "nobody; the launcher does not complete it" : name_pes(missing);
}

// One report per host: from the lowest of its PEs that has come here.
void FenceWait::report_if_first_on_host(uint64_t now_ns) {
  const PmixJob& job = session_.job();
  std::vector<int> before;
  std::copy_if(job.local_pes.begin(), job.local_pes.end(), std::back_inserter(before),
               [&](int pe) { return pe < job.pe; });
  if (here_.missing_here(before).size() < before.size()) {
    return;
  }
  report(fmt::format("{} still waits in {} after {} s; not there: {}", session_.name(), call_,
                     (now_ns - start_ns_) / kSecondNs, missing_pes()));
}

Result<> FenceWait::wait(Deadline deadline) {
  const auto describe = [&] { return fmt::format("{} in {}", session_.name(), call_); };
  for (;;) {
    const uint64_t begin = monotonic_ns();
    const auto slice = std::min(deadline.left(begin), std::chrono::nanoseconds(kConfirmNs));
    if (wait_until([&] { return fence_.done(); }, &fence_.bell(), BellScope::process,
                   Deadline::after(slice), describe) == WaitEnd::ready) {
      return {};
    }
    const uint64_t now = monotonic_ns();
    if (now >= next_look_ns_) {
      here_.leave();
      if (auto sentence = lost_siblings(now)) {
        return fail(Errc::peer_lost, "{}", *sentence);
      }
      // Looks follow closely only while the waits of the loop must confirm something.
      next_look_ns_ = now + (watch_->suspects() ? kConfirmNs : kNextLookNs);
    }
    if (deadline.passed(now)) {
      const std::string missing = missing_pes();
      if (fence_.done()) {
        return {};
      }
      return fail(Errc::timeout, "{}: {} did not complete within {} s; not there: {}",
                  session_.name(), call_, (now - start_ns_) / kSecondNs, missing);
    }
    if (now >= next_report_ns_) {
      next_report_ns_ += kReportNs;
      report_if_first_on_host(now);
    }
  }
}

}  // namespace canopy
