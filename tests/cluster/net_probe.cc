// net_probe: what a network between hosts really does, measured by plain sockets.
//
//   net_probe serve PORT                 TCP: takes in everything and says how much; UDP: sends
//   back net_probe connect ADDRESS PORT MS    exit status 0 when connected within MS, else 1 and
//   the reason net_probe push ADDRESS PORT BYTES    prints Mbit/s from here to there net_probe pull
//   ADDRESS PORT BYTES    prints Mbit/s from there to here net_probe echo ADDRESS PORT N prints how
//   many of N datagrams came back net_probe hold ADDRESS PORT MS       prints "connected", then
//   "closed" or, after MS, "silent"
#include "runtime/base/clock.h"
#include "runtime/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using canopy::UniqueFd;

constexpr uint64_t kPullFlag = uint64_t{1} << 63;  // in the byte count that opens a connection

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "net_probe: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

sockaddr_in address_of(const char* host, const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    errno = EINVAL;
    die(host);
  }
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd bound_socket(int type, const char* port) {
  UniqueFd fd(socket(AF_INET, type, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in any = address_of("0.0.0.0", port);
  if (bind(fd.get(), generic(any), sizeof any) != 0) {
    die("bind");
  }
  return fd;
}

bool send_all(int fd, const char* data, size_t nbytes) {
  for (size_t done = 0; done < nbytes;) {
    const ssize_t n = send(fd, data + done, nbytes - done, MSG_NOSIGNAL);
    if (n <= 0) {
      return false;
    }
    done += static_cast<size_t>(n);
  }
  return true;
}

bool receive_all(int fd, uint64_t nbytes) {
  std::vector<char> buffer(1 << 16);
  while (nbytes > 0) {
    const ssize_t n = recv(fd, buffer.data(), std::min<uint64_t>(buffer.size(), nbytes), 0);
    if (n <= 0) {
      return false;
    }
    nbytes -= static_cast<uint64_t>(n);
  }
  return true;
}

bool send_zeros(int fd, uint64_t nbytes) {
  const std::vector<char> zeros(1 << 16);
  for (; nbytes > 0; nbytes -= std::min<uint64_t>(nbytes, zeros.size())) {
    if (!send_all(fd, zeros.data(), std::min<uint64_t>(nbytes, zeros.size()))) {
      return false;
    }
  }
  return true;
}

// One request of a connection: a byte count, then that many bytes in either direction, then one
// byte.
void serve_connection(int fd) {
  uint64_t request = 0;
  if (recv(fd, &request, sizeof request, MSG_WAITALL) != sizeof request) {
    return;
  }
  const uint64_t nbytes = request & ~kPullFlag;
  if ((request & kPullFlag) != 0 ? send_zeros(fd, nbytes) : receive_all(fd, nbytes)) {
    send_all(fd, "!", 1);
  }
}

int serve(const char* port) {
  const UniqueFd tcp = bound_socket(SOCK_STREAM, port);
  const UniqueFd udp = bound_socket(SOCK_DGRAM, port);
  if (listen(tcp.get(), 64) != 0) {
    die("listen");
  }
  std::puts("serving");
  std::fflush(stdout);
  std::map<int, UniqueFd> connections;
  for (;;) {
    std::vector<pollfd> events = {{tcp.get(), POLLIN, 0}, {udp.get(), POLLIN, 0}};
    for (const auto& [fd, owner] : connections) {
      events.push_back({fd, POLLIN, 0});
    }
    poll(events.data(), events.size(), -1);
    if (events[0].revents != 0) {
      UniqueFd fd(accept(tcp.get(), nullptr, nullptr));
      const int number = fd.get();
      connections.emplace(number, std::move(fd));
    }
    if (events[1].revents != 0) {
      char datagram[2048];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = recvfrom(udp.get(), datagram, sizeof datagram, 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
      if (n >= 0) {
        sendto(udp.get(), datagram, static_cast<size_t>(n), MSG_CONFIRM, generic(from), size);
      }
    }
    for (size_t i = 2; i < events.size(); ++i) {
      if (events[i].revents != 0) {
        serve_connection(events[i].fd);
        connections.erase(events[i].fd);
      }
    }
  }
}

// Connected, blocking; or errno tells why not.
UniqueFd connected(const char* host, const char* port, int timeout_ms) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const sockaddr_in address = address_of(host, port);
  if (connect(fd.get(), generic(address), sizeof address) != 0 && errno != EINPROGRESS) {
    return UniqueFd();
  }
  pollfd event{fd.get(), POLLOUT, 0};
  int err = ETIMEDOUT;
  socklen_t size = sizeof err;
  if (poll(&event, 1, timeout_ms) == 1) {
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  }
  if (err != 0) {
    errno = err;
    return UniqueFd();
  }
  fcntl(fd.get(), F_SETFL, 0);
  return fd;
}

int transfer(const char* host, const char* port, uint64_t nbytes, bool pull) {
  const UniqueFd fd = connected(host, port, 10'000);
  if (!fd) {
    die("connect");
  }
  const uint64_t begin = canopy::monotonic_ns();
  const uint64_t request = nbytes | (pull ? kPullFlag : 0);
  char end = 0;
  if (!send_all(fd.get(), reinterpret_cast<const char*>(&request), sizeof request) ||
      !(pull ? receive_all(fd.get(), nbytes) : send_zeros(fd.get(), nbytes)) ||
      recv(fd.get(), &end, 1, 0) != 1) {
    die("transfer");
  }
  const double seconds = static_cast<double>(canopy::monotonic_ns() - begin) / 1e9;
  std::printf("%.0f\n", static_cast<double>(nbytes) * 8 / 1e6 / seconds);
  return 0;
}

int echo(const char* host, const char* port, int count) {
  constexpr int kBatch = 100;      // far less than a socket's buffer holds
  constexpr int kSilenceMs = 200;  // no datagram takes that long here
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM, 0));
  const sockaddr_in address = address_of(host, port);
  if (connect(fd.get(), generic(address), sizeof address) != 0) {
    die("connect");
  }
  int back = 0;
  for (int sent = 0; sent < count; sent += kBatch) {
    const int batch = std::min(kBatch, count - sent);
    for (int i = 0; i < batch; ++i) {
      // Keeps ARP from asking again, whose own losses would be counted as the datagrams'.
      send(fd.get(), "x", 1, MSG_CONFIRM);
    }
    char byte;
    pollfd event{fd.get(), POLLIN, 0};
    for (int i = 0; i < batch && poll(&event, 1, kSilenceMs) == 1; ++i) {
      back += recv(fd.get(), &byte, 1, 0) == 1 ? 1 : 0;
    }
  }
  std::printf("%d\n", back);
  return 0;
}

int hold(const char* host, const char* port, int timeout_ms) {
  const UniqueFd fd = connected(host, port, 10'000);
  if (!fd) {
    die("connect");
  }
  std::puts("connected");
  std::fflush(stdout);
  pollfd event{fd.get(), POLLIN, 0};
  std::puts(poll(&event, 1, timeout_ms) == 1 ? "closed" : "silent");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "serve" && argc == 3) {
    return serve(argv[2]);
  }
  if (argc == 5 && what == "connect") {
    if (!connected(argv[2], argv[3], std::atoi(argv[4]))) {
      die("connect");
    }
    return 0;
  }
  if (argc == 5 && (what == "push" || what == "pull")) {
    return transfer(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10), what == "pull");
  }
  if (argc == 5 && what == "echo") {
    return echo(argv[2], argv[3], std::atoi(argv[4]));
  }
  if (argc == 5 && what == "hold") {
    return hold(argv[2], argv[3], std::atoi(argv[4]));
  }
  std::fprintf(stderr, "net_probe: see the top of its source\n");
  return 2;
}
