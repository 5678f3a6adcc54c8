#include "launcher/bootstrap/watch_neighbour.h"

#include <algorithm>
#include <bit>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>

namespace canopy::watch {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kNever = ~uint64_t{0};

// The peer's IP as its card would have it; a v4 address that came in over a v6 socket is v4 again.
std::string ip_of(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, text,
              sizeof text);
  } else if (address.storage.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr, text,
              sizeof text);
  }
  const std::string_view view = text;
  constexpr std::string_view kMapped = "::ffff:";
  return std::string(view.starts_with(kMapped) ? view.substr(kMapped.size()) : view);
}

}  // namespace

std::vector<NeighbourPlan> neighbours_of(int host, int n_hosts) {
  std::vector<NeighbourPlan> plans;
  for (int other = 0; other < n_hosts; ++other) {
    const auto ahead = static_cast<unsigned>((other - host + n_hosts) % n_hosts);
    const auto behind = static_cast<unsigned>(n_hosts) - ahead;
    const bool is_ahead = std::has_single_bit(ahead);
    const bool is_behind = other != host && std::has_single_bit(behind);
    if (is_ahead || is_behind) {
      plans.push_back({other, is_ahead && (!is_behind || host < other)});
    }
  }
  return plans;
}

WatchNeighbour::WatchNeighbour(const WatchSelf& self, NeighbourPlan plan, WatchAddress address,
                               uint64_t now_ns)
    : self_(self),
      plan_(plan),
      address_(std::move(address)),
      heard_ns_(now_ns),
      next_dial_ns_(plan.we_dial ? now_ns : kNever) {}

std::string WatchNeighbour::name() const {
  return fmt::format("host {} ({})", plan_.host, address_.host_name);
}

std::string WatchNeighbour::place(size_t index) const {
  return fmt::format("{} port {}", address_.ips[index], address_.port);
}

uint64_t WatchNeighbour::pause_ns() const {
  return std::clamp(self_.timeout_ns / 20, 5 * kMillisecond, 250 * kMillisecond);
}

uint64_t WatchNeighbour::attempt_ns() const {
  return std::clamp(self_.timeout_ns / 5, 50 * kMillisecond, 2000 * kMillisecond);
}

void WatchNeighbour::finish(uint64_t now_ns) {
  finished_ = true;
  next_dial_ns_ = kNever;
  give_up_ns_ = now_ns + attempt_ns();  // what is still being sent may go out, and the end be seen
}

void WatchNeighbour::dial(uint64_t now_ns) {
  next_dial_ns_ = kNever;
  give_up_ns_ = now_ns + attempt_ns();
  greeted_ = false;
  link_ = WatchLink::dial(socket_address(address_.ips[at_], address_.port));
  if (link_->closed()) {
    on_closed(now_ns);
  }
}

void WatchNeighbour::attempt_failed(const std::string& why, bool refused, uint64_t now_ns) {
  link_.reset();
  last_error_ = fmt::format("{}: {}", place(at_), why);
  if (!good_ || at_ == *good_) {
    refusals_ = refused ? refusals_ + 1 : 0;
  }
  // A refusal is confirmed where it was met, without the waits that other addresses may cost.
  if (!(refused && good_ && at_ == *good_)) {
    at_ = (at_ + 1) % address_.ips.size();
  }
  next_dial_ns_ = now_ns + pause_ns();
}

void WatchNeighbour::on_closed(uint64_t now_ns) {
  const std::string why = link_->error();
  const bool refused = link_->refused();
  if (!standing_) {
    attempt_failed(why, refused, now_ns);
    return;
  }
  link_.reset();
  standing_ = false;
  last_error_ = fmt::format("{}: {}", place(at_), why);
  next_dial_ns_ = finished_ ? kNever : now_ns;
}

void WatchNeighbour::greet() {
  greeted_ = true;
  link_->send(FrameType::greeting,
              encode(Greeting{static_cast<uint32_t>(self_.host), static_cast<uint32_t>(plan_.host),
                              address_.nonce}));
}

void WatchNeighbour::stand(uint64_t now_ns) {
  standing_ = true;
  heard_ns_ = now_ns;
  next_beat_ns_ = now_ns;
  next_dial_ns_ = kNever;
  refusals_ = 0;
  good_ = at_;
}

bool WatchNeighbour::accept_greeting(std::string_view payload) const {
  const auto greeting = decode_greeting(payload);
  return greeting && greeting->from == static_cast<uint32_t>(plan_.host) &&
         greeting->to == static_cast<uint32_t>(self_.host) && greeting->nonce == self_.nonce;
}

void WatchNeighbour::adopt(WatchLink link, uint64_t now_ns) {
  const std::string ip = ip_of(link.peer());
  const auto known = std::find(address_.ips.begin(), address_.ips.end(), ip);
  at_ = static_cast<size_t>(known - address_.ips.begin());
  if (known == address_.ips.end()) {
    address_.ips.push_back(ip);  // it was reached over another than it knew of
  }
  link_ = std::move(link);
  greet();
  stand(now_ns);
  if (finished_) {
    finish(now_ns);
  }
}

void WatchNeighbour::advance(short events) {
  if (link_) {
    link_->advance(events);
  }
}

std::optional<Notice> WatchNeighbour::take(uint64_t now_ns, bool* opened) {
  Frame frame;
  while (link_) {
    if (!standing_ && !greeted_ && !link_->closed() && !link_->connecting()) {
      if (!plan_.we_dial) {
        // Only asked whether the process lives; the host itself will dial.
        attempt_failed("it answers, but does not connect again", false, now_ns);
        break;
      }
      greet();
    }
    if (!link_->take(&frame)) {
      if (link_->closed()) {
        on_closed(now_ns);
      }
      break;
    }
    if (!standing_) {
      if (frame.type != FrameType::greeting || !accept_greeting(frame.payload)) {
        attempt_failed("another process answers there", false, now_ns);
        break;
      }
      stand(now_ns);
      *opened = true;
      continue;
    }
    heard_ns_ = now_ns;
    said_goodbye_ |= frame.type == FrameType::goodbye;
    if (frame.type == FrameType::notice) {
      if (auto notice = decode_notice(frame.payload)) {
        return notice;
      }
    }
  }
  return std::nullopt;
}

void WatchNeighbour::send(const Notice& notice) {
  if (standing_) {
    link_->send(FrameType::notice, encode(notice));
  }
}

void WatchNeighbour::send_goodbye() {
  if (standing_) {
    link_->send(FrameType::goodbye, "");
  }
}

void WatchNeighbour::on_time(uint64_t now_ns) {
  if (finished_) {
    if (link_ && now_ns >= give_up_ns_) {
      link_.reset();
      standing_ = false;
    }
    return;
  }
  if (link_ && !standing_ && now_ns >= give_up_ns_) {
    attempt_failed("no answer", false, now_ns);
  }
  if (standing_ && plan_.we_dial && now_ns - heard_ns_ > self_.timeout_ns / 2) {
    link_->close(fmt::format("silent for {} ms", (now_ns - heard_ns_) / kMillisecond));
    on_closed(now_ns);
  }
  if (standing_ && now_ns >= next_beat_ns_) {
    if (!link_->has_unsent()) {  // else the last one has not even left yet
      link_->send(FrameType::heartbeat, "");
    }
    next_beat_ns_ = now_ns + self_.timeout_ns / 4;
  }
  if (!link_ && now_ns >= next_dial_ns_) {
    dial(now_ns);
  }
}

uint64_t WatchNeighbour::due_ns() const {
  if (finished_) {
    return link_ ? give_up_ns_ : kNever;
  }
  uint64_t due = std::min(next_dial_ns_, heard_ns_ + self_.timeout_ns);
  if (standing_) {
    due = std::min({due, next_beat_ns_,
                    plan_.we_dial ? heard_ns_ + self_.timeout_ns / 2 + kMillisecond : kNever});
  } else if (link_) {
    due = std::min(due, give_up_ns_);
  }
  return due;
}

std::optional<std::string> WatchNeighbour::verdict(uint64_t now_ns) const {
  if (finished_) {
    return std::nullopt;
  }
  if (refusals_ >= 2 * (good_ ? 1 : address_.ips.size())) {
    return fmt::format("the process that speaks for {} has ended ({})", name(), last_error_);
  }
  if (now_ns - heard_ns_ >= self_.timeout_ns) {
    return fmt::format(
        "nothing was heard from {} for {} ms (the limit, CANOPY_HOST_TIMEOUT_MS, is {})"
        "; {}",
        name(), (now_ns - heard_ns_) / kMillisecond, self_.timeout_ns / kMillisecond,
        standing_ ? "the connection stands" : "last tried: " + last_error_);
  }
  return std::nullopt;
}

void WatchNeighbour::forgive(uint64_t now_ns) {
  heard_ns_ = std::max(heard_ns_, now_ns - self_.timeout_ns / 2);
}

}  // namespace canopy::watch
