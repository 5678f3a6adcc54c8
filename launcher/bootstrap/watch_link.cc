#include "launcher/bootstrap/watch_link.h"

#include "launcher/bootstrap/host_watch.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace canopy::watch {
namespace {

// A notice's payload has a few bytes before its text.
constexpr size_t kLongestPayload = HostWatch::kMaxNotice + 64;

void send_small_frames_at_once(int fd) {
  const int on = 1;
  // A failure costs milliseconds, nothing else.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

WatchLink::WatchLink(UniqueFd accepted) : fd_(std::move(accepted)) {
  send_small_frames_at_once(fd_.get());
}

WatchLink WatchLink::dial(const SocketAddress& address) {
  WatchLink link{
      UniqueFd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))};
  if (link.closed()) {
    link.error_ = std::strerror(errno);
  } else if (connect(link.fd(), address.get(), address.length) != 0) {
    link.connecting_ = errno == EINPROGRESS;
    if (!link.connecting_) {
      link.close_with_errno("connect", errno);
    }
  }
  return link;
}

void WatchLink::close(std::string why) {
  fd_.reset();
  connecting_ = false;
  error_ = std::move(why);
}

void WatchLink::close_with_errno(const char* what, int err) {
  refused_ = err == ECONNREFUSED;
  close(fmt::format("{}: {}", what, std::strerror(err)));
}

short WatchLink::wanted_events() const {
  return static_cast<short>((connecting_ ? 0 : POLLIN) |
                            (connecting_ || !out_.empty() ? POLLOUT : 0));
}

void WatchLink::finish_connect() {
  int err = 0;
  socklen_t size = sizeof err;
  if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &err, &size) != 0) {
    err = errno;
  }
  connecting_ = false;
  if (err != 0) {
    close_with_errno("connect", err);
  }
}

void WatchLink::flush() {
  while (!out_.empty() && !closed() && !connecting_) {
    const ssize_t n = ::send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      out_.erase(0, static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      // Not closed for that: what the other side said before it went is still to be received.
      out_.clear();
      return;
    }
  }
}

void WatchLink::receive() {
  char part[4096];
  // More than one frame at most: a stranger who sends without end must not fill our memory.
  while (in_.size() <= kLongestPayload) {
    const ssize_t n = recv(fd(), part, sizeof part, MSG_DONTWAIT);
    if (n > 0) {
      in_.append(part, static_cast<size_t>(n));
    } else if (n == 0) {
      ended_ = true;
      error_ = "the connection was closed";
      return;
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      ended_ = true;
      error_ = std::strerror(errno);
      return;
    }
  }
}

void WatchLink::advance(short events) {
  if (events == 0 || closed()) {
    return;
  }
  if (connecting_) {
    finish_connect();
  }
  flush();
  if (!closed() && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    receive();
  }
}

void WatchLink::send(FrameType type, std::string_view payload) {
  append_frame(out_, type, payload);
  flush();
}

bool WatchLink::take(Frame* frame) {
  switch (closed() ? Taken::incomplete : take_frame(in_, kLongestPayload, frame)) {
    case Taken::whole:
      return true;
    case Taken::malformed:
      close("what arrived is not from a leader of this job");
      return false;
    case Taken::incomplete:
      break;
  }
  if (ended_ && !closed()) {
    close(error_);
  }
  return false;
}

SocketAddress WatchLink::peer() const {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (getpeername(fd(), reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    address.length = 0;
  }
  return address;
}

}  // namespace canopy::watch
