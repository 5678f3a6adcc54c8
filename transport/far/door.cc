#include "transport/far/door.h"

#include "runtime/base/log.h"
#include "runtime/base/random_id.h"
#include "runtime/base/start_thread.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include <cerrno>

namespace canopy::transport::far {
namespace {

// A host that is up answers a connection within a round trip; one of several addresses may be dead.
constexpr std::chrono::seconds kConnectPatience{2};

void limit(int fd, int option, std::chrono::seconds span) {
  const timeval value{span.count(), 0};
  ::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

Result<UniqueFd> listen_anywhere(uint16_t& port) {
  // One socket for both families; IPv4 alone where the host has no IPv6.
  for (const int family : {AF_INET6, AF_INET}) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
      continue;
    }
    const int both = 0;
    if (family == AF_INET6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
    }
    const HostAddress any{.family = family, .bytes = {}};
    sockaddr_storage address;
    socklen_t length = any.to_socket_address(0, address);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(fd.get(), SOMAXCONN) != 0) {
      continue;
    }
    length = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      port = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                      : reinterpret_cast<sockaddr_in&>(address).sin_port);
      return fd;
    }
  }
  return fail_errno(Errc::io, errno, "no TCP port to be reached at by other hosts");
}

HostAddress own_end(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return HostAddress::from_socket_address(reinterpret_cast<sockaddr&>(address));
}

Result<UniqueFd> connect_to(const HostAddress& host, uint16_t port, const HostAddress* from) {
  UniqueFd fd(::socket(host.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return fail_errno(Errc::io, errno, "no socket for {}", host.text());
  }
  limit(fd.get(), SO_SNDTIMEO, kConnectPatience);  // bounds connect() too
  limit(fd.get(), SO_RCVTIMEO, kPatience);
  sockaddr_storage address;
  if (from != nullptr && from->family == host.family) {
    const socklen_t length = from->to_socket_address(0, address);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
      return fail_errno(Errc::io, errno, "no socket at our address {}", from->text());
    }
  }
  const socklen_t length = host.to_socket_address(port, address);
  int err = 0;
  do {
    err = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno;
  } while (err == EINTR);
  if (err != 0) {
    return fail_errno(err == ECONNREFUSED ? Errc::peer_lost : Errc::timeout, err,
                      "{} port {} cannot be reached", host.text(), port);
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<Door>> Door::open(std::vector<HostAddress> hosts, DoorKeeper keeper) {
  std::unique_ptr<Door> self(new Door);
  self->address_.token = random_id();
  self->address_.hosts = std::move(hosts);
  self->keeper_ = std::move(keeper);
  CANOPY_ASSIGN(self->listener_, listen_anywhere(self->address_.port));
  self->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!self->stop_) {
    return fail_errno(Errc::limit, errno, "no eventfd for the door");
  }
  CANOPY_TRY(start_thread(&self->thread_, "the door, at which other hosts knock", [&door = *self] { door.run(); }));
  ::pthread_setname_np(self->thread_.native_handle(), "canopy-door");
  return self;
}

Door::~Door() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
}

void Door::run() {
  for (;;) {
    std::vector<pollfd> fds = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Line& line : lines_) {
      fds.push_back({line.connection.get(), POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
      log(LogLevel::error, "the door closes: poll failed with error {}", errno);
      return;
    }
    if (fds[0].revents != 0) {
      return;
    }
    std::vector<Line> going_on;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (fds[i + 2].revents == 0 || serve(lines_[i])) {
        going_on.push_back(std::move(lines_[i]));
      } else {
        keeper_.line_ended(lines_[i].number);
      }
    }
    lines_ = std::move(going_on);
    if (UniqueFd connection{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)}) {
      serve(std::move(connection));
    }
  }
}

void Door::serve(UniqueFd connection) {
  limit(connection.get(), SO_RCVTIMEO, kConnectPatience);  // who knocks speaks at once
  limit(connection.get(), SO_SNDTIMEO, kConnectPatience);
  const auto message = receive_framed(connection.get());
  if (!message) {
    return;  // who only wanted to know the way
  }
  const auto knock = Knock::unpack(*message);
  if (!knock || knock->token != address_.token) {
    log(LogLevel::info, "somebody knocked who does not know us");
    return;
  }
  Welcome welcome = keeper_.welcome(*knock, own_end(connection.get()));
  welcome.token = address_.token;
  if (!send_framed(connection.get(), welcome.pack())) {
    log(LogLevel::warn, "an introduction was broken off: {}", error_text::newest());
  } else if (knock->has_questions && welcome.refusal.empty()) {
    lines_.push_back({++last_line_, std::move(connection)});
  }
}

bool Door::serve(const Line& line) const {
  const auto question = receive_framed(line.connection.get());
  return question &&
         send_framed(line.connection.get(), keeper_.reply(line.number, *question)).has_value();
}

Result<HostAddress> way_to(const HostAddress& host, uint16_t port, const HostAddress* from) {
  CANOPY_ASSIGN(const UniqueFd fd, connect_to(host, port, from));
  return own_end(fd.get());
}

Result<Welcome> knock_at(const HostAddress& host, const DoorAddress& door, const HostAddress* from,
                         const Knock& knock, UniqueFd& line) {
  CANOPY_ASSIGN(UniqueFd fd, connect_to(host, door.port, from));
  CANOPY_TRY(send_framed(fd.get(), knock.pack()));
  CANOPY_ASSIGN(const std::string reply, receive_framed(fd.get()));
  CANOPY_ASSIGN(Welcome welcome, Welcome::unpack(reply));
  if (welcome.token != door.token) {
    return fail(Errc::peer_lost, "{} port {} is not the one we look for", host.text(), door.port);
  }
  if (knock.has_questions) {
    line = std::move(fd);
  }
  return welcome;
}

Result<Introduction> introduce(const DoorAddress& door, const HostAddress* from,
                               const ProviderAt& provider_at, bool has_questions) {
  std::string tried;
  bool may_come_back = false;
  UniqueFd line;
  for (const HostAddress& host : door.hosts) {
    auto here = way_to(host, door.port, from);
    auto welcome = Result<Welcome>(tl::unexpected(Error{}));
    if (here) {
      CANOPY_ASSIGN(const std::string provider, provider_at(*here));
      welcome = knock_at(host, door, from, {.token = door.token, .provider = provider, .has_questions = has_questions},
                         line);
    }
    if (here && welcome && !welcome->refusal.empty()) {
      return fail(Errc::not_supported, "{} refuses: {}", host.text(), welcome->refusal);
    }
    if (here && welcome) {
      return Introduction{std::move(*welcome), *here, host, std::move(line)};
    }
    may_come_back |= (here ? welcome.error() : here.error()).code == Errc::timeout;
    tried +=
        fmt::format("{}{}: {}", tried.empty() ? "" : "; ", host.text(), error_text::take_newest());
  }
  return fail(may_come_back ? Errc::timeout : Errc::peer_lost, "{}",
              tried.empty() ? "it has no address" : tried);
}

}  // namespace canopy::transport::far
