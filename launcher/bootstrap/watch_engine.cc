#include "launcher/bootstrap/watch_engine.h"

#include "runtime/base/clock.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace canopy::watch {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kLongestLeaveNs = 1000 * kMillisecond;
constexpr uint64_t kNever = ~uint64_t{0};
constexpr int kNobody = -1;
// Connections of unknown origin that are listened to at a time. A job's own are known after one
// round trip; beyond this many the oldest goes.
constexpr size_t kMaxStrangers = 64;

}  // namespace

Result<std::unique_ptr<Inbox>> Inbox::create() {
  UniqueFd bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) {
    return fail_errno(Errc::limit, errno, "cannot make an eventfd for the host watch");
  }
  return std::unique_ptr<Inbox>(new Inbox(std::move(bell)));
}

void Inbox::ring() {
  const uint64_t one = 1;
  (void)!write(bell_.get(), &one, sizeof one);  // full means it has been rung
}

bool Inbox::tell(std::string_view text) {
  std::lock_guard lock(mutex_);
  if (leaving_) {
    return false;
  }
  told_.emplace_back(text);
  ring();
  return true;
}

void Inbox::ask_to_leave() {
  std::lock_guard lock(mutex_);
  leaving_ = true;
  ring();
}

std::vector<std::string> Inbox::take(bool* leaving) {
  uint64_t ignored = 0;
  (void)!read(bell_.get(), &ignored, sizeof ignored);
  std::lock_guard lock(mutex_);
  *leaving = leaving_;
  return std::exchange(told_, {});
}

WatchEngine::WatchEngine(int my_host, std::vector<WatchAddress> addresses, uint64_t timeout_ns,
                         UniqueFd listener, HostWatch::Callbacks callbacks, Inbox& inbox)
    : my_host_(my_host),
      addresses_(std::move(addresses)),
      timeout_ns_(timeout_ns),
      listener_(std::move(listener)),
      callbacks_(std::move(callbacks)),
      inbox_(inbox),
      gone_(addresses_.size(), false),
      awake_ns_(monotonic_ns()) {
  const WatchSelf self{my_host, addresses_[static_cast<size_t>(my_host)].nonce, timeout_ns};
  for (const NeighbourPlan& plan : neighbours_of(my_host, static_cast<int>(addresses_.size()))) {
    neighbours_.emplace_back(self, plan, addresses_[static_cast<size_t>(plan.host)], awake_ns_);
  }
}

WatchNeighbour* WatchEngine::neighbour(int host) {
  const auto found = std::find_if(neighbours_.begin(), neighbours_.end(),
                                  [&](const WatchNeighbour& one) { return one.host() == host; });
  return found == neighbours_.end() ? nullptr : &*found;
}

void WatchEngine::run() {
  for (;;) {
    const uint64_t until_ns = due_ns();
    wait(until_ns);
    const uint64_t now_ns = monotonic_ns();
    take_inbox(now_ns);
    accept_strangers(now_ns);
    hear_strangers(now_ns);
    hear_neighbours(now_ns);
    // Judged last, with all heard that has arrived; and mildly, when it was us who slept.
    if (now_ns > std::max(until_ns, awake_ns_) + timeout_ns_ / 2 && until_ns != kNever) {
      for (WatchNeighbour& one : neighbours_) {
        one.forgive(now_ns);
      }
    }
    awake_ns_ = now_ns;
    judge(now_ns);
    if (has_left(now_ns)) {
      return;
    }
  }
}

uint64_t WatchEngine::due_ns() const {
  if (leave_by_ns_ != 0) {
    return leave_by_ns_;  // nothing else is expected of anybody any more
  }
  uint64_t due = kNever;
  for (const WatchNeighbour& one : neighbours_) {
    due = std::min(due, one.due_ns());
  }
  for (const Stranger& stranger : strangers_) {
    due = std::min(due, stranger.give_up_ns);
  }
  return due;
}

// Sleeps until something arrives or it is time, and moves bytes.
void WatchEngine::wait(uint64_t until_ns) {
  std::vector<pollfd> events = {{inbox_.fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  std::vector<WatchNeighbour*> listening;
  for (WatchNeighbour& one : neighbours_) {
    if (one.link() != nullptr) {
      events.push_back({one.link()->fd(), one.link()->wanted_events(), 0});
      listening.push_back(&one);
    }
  }
  for (const Stranger& stranger : strangers_) {
    events.push_back({stranger.link.fd(), stranger.link.wanted_events(), 0});
  }
  const uint64_t now_ns = monotonic_ns();
  const uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
  timespec timeout{static_cast<time_t>(left_ns / 1'000'000'000),
                   static_cast<long>(left_ns % 1'000'000'000)};
  if (ppoll(events.data(), events.size(), until_ns == kNever ? nullptr : &timeout, nullptr) <= 0) {
    return;
  }
  for (size_t i = 0; i < listening.size(); ++i) {
    listening[i]->advance(events[2 + i].revents);
  }
  for (size_t i = 0; i < strangers_.size(); ++i) {
    strangers_[i].link.advance(events[2 + listening.size() + i].revents);
  }
}

void WatchEngine::take_inbox(uint64_t now_ns) {
  bool leaving = false;
  for (std::string& text : inbox_.take(&leaving)) {
    say(NoticeKind::told, my_host_, std::move(text), now_ns);
  }
  if (leaving && leave_by_ns_ == 0) {
    leave_by_ns_ = now_ns + std::min(timeout_ns_, kLongestLeaveNs);
    say(NoticeKind::left, my_host_, "", now_ns);
  }
}

void WatchEngine::accept_strangers(uint64_t now_ns) {
  for (;;) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      return;
    }
    if (strangers_.size() == kMaxStrangers) {
      strangers_.erase(strangers_.begin());
    }
    strangers_.push_back(
        {WatchLink(std::move(fd)), now_ns + std::min(timeout_ns_, kLongestLeaveNs)});
  }
}

void WatchEngine::hear_strangers(uint64_t now_ns) {
  // By index: welcome() may not add to the list, but what it calls is the user's.
  for (size_t i = 0; i < strangers_.size();) {
    Frame frame;
    const bool spoke = strangers_[i].link.take(&frame);
    if (!spoke && !strangers_[i].link.closed() && now_ns < strangers_[i].give_up_ns) {
      ++i;
      continue;
    }
    WatchLink link = std::move(strangers_[i].link);
    strangers_.erase(strangers_.begin() + static_cast<ptrdiff_t>(i));
    if (const auto greeting = spoke && frame.type == FrameType::greeting
                                  ? decode_greeting(frame.payload)
                                  : std::nullopt) {
      welcome(*greeting, std::move(link), now_ns);
    }
  }
}

void WatchEngine::welcome(const Greeting& greeting, WatchLink link, uint64_t now_ns) {
  const auto& self = addresses_[static_cast<size_t>(my_host_)];
  WatchNeighbour* const one =
      greeting.from < addresses_.size() ? neighbour(static_cast<int>(greeting.from)) : nullptr;
  if (one == nullptr || greeting.to != static_cast<uint32_t>(my_host_) ||
      greeting.nonce != self.nonce) {
    return;  // of another job, or of none: closed
  }
  one->adopt(std::move(link), now_ns);
  tell_all_known(*one);
}

void WatchEngine::tell_all_known(WatchNeighbour& one) {
  for (const Notice& notice : known_) {
    one.send(notice);
  }
}

void WatchEngine::hear_neighbours(uint64_t now_ns) {
  for (WatchNeighbour& one : neighbours_) {
    bool opened = false;
    while (auto notice = one.take(now_ns, &opened)) {
      if (notice->kind == NoticeKind::left &&
          notice->subject == static_cast<uint32_t>(one.host())) {
        one.send_goodbye();  // it waits for this, however often the notice itself has come
      }
      spread(std::move(*notice), one.host(), now_ns);
    }
    if (opened) {
      tell_all_known(one);
    }
  }
}

void WatchEngine::judge(uint64_t now_ns) {
  for (WatchNeighbour& one : neighbours_) {
    one.on_time(now_ns);
    if (const auto sentence = leave_by_ns_ == 0 ? one.verdict(now_ns) : std::nullopt) {
      say(NoticeKind::lost, one.host(), *sentence, now_ns);
    }
  }
}

bool WatchEngine::has_left(uint64_t now_ns) const {
  return leave_by_ns_ != 0 &&
         (now_ns >= leave_by_ns_ ||
          std::all_of(neighbours_.begin(), neighbours_.end(), [](const WatchNeighbour& one) {
            return one.finished() || one.said_goodbye() || !one.standing();
          }));
}

void WatchEngine::say(NoticeKind kind, int subject, std::string text, uint64_t now_ns) {
  spread(Notice{kind, static_cast<uint32_t>(my_host_), next_number_++,
                static_cast<uint32_t>(subject), std::move(text)},
         kNobody, now_ns);
}

void WatchEngine::spread(Notice notice, int came_from, uint64_t now_ns) {
  if (notice.subject >= addresses_.size() || !seen_.insert({notice.origin, notice.number}).second) {
    return;
  }
  for (WatchNeighbour& one : neighbours_) {
    if (one.host() != came_from) {
      one.send(notice);
    }
  }
  known_.push_back(notice);
  act(notice, now_ns);
}

void WatchEngine::act(const Notice& notice, uint64_t now_ns) {
  if (notice.kind == NoticeKind::told) {
    if (notice.origin != static_cast<uint32_t>(my_host_) && callbacks_.on_notice) {
      callbacks_.on_notice(notice.text);
    }
    return;
  }
  const int host = static_cast<int>(notice.subject);
  if (gone_[notice.subject] || (notice.kind == NoticeKind::left && host == my_host_)) {
    return;
  }
  gone_[notice.subject] = true;
  if (WatchNeighbour* const one = neighbour(host)) {
    one->finish(now_ns);
  }
  if (notice.kind == NoticeKind::lost && callbacks_.on_host_silent) {
    callbacks_.on_host_silent(host, notice.text);
  }
}

}  // namespace canopy::watch
