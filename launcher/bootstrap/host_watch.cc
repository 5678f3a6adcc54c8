#include "launcher/bootstrap/host_watch.h"

#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_engine.h"
#include "runtime/base/env.h"
#include "runtime/base/random_id.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/unique_fd.h"

#include <cerrno>
#include <optional>
#include <thread>

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace canopy {
namespace {

constexpr int64_t kDefaultTimeoutMs = 10'000;
// Below this a scheduler's whim looks like a death.
constexpr int64_t kLeastTimeoutMs = 100;

Result<std::chrono::milliseconds> timeout_from(std::chrono::milliseconds wanted) {
  const int64_t ms = (wanted.count() != 0 ? wanted : HostWatch::usual_timeout()).count();
  if (ms < kLeastTimeoutMs) {
    return fail(Errc::out_of_range, "CANOPY_HOST_TIMEOUT_MS={}: must be {} or more", ms,
                kLeastTimeoutMs);
  }
  return std::chrono::milliseconds(ms);
}

// Both families on one socket where the kernel has IPv6, else IPv4 alone.
Result<UniqueFd> bound_listener() {
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int off = 0;
  const bool both = fd && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
                    bind(fd.get(), reinterpret_cast<const sockaddr*>(&any6), sizeof any6) == 0;
  if (!both) {
    fd.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&any4), sizeof any4) != 0) {
      return fail_errno(Errc::io, errno, "the host watch cannot bind a TCP port");
    }
  }
  if (listen(fd.get(), SOMAXCONN) != 0) {
    return fail_errno(Errc::io, errno, "the host watch cannot listen");
  }
  return fd;
}

Result<uint16_t> port_of(const UniqueFd& fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return fail_errno(Errc::io, errno, "the host watch does not know its port");
  }
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

class TcpHostWatch final : public HostWatch {
 public:
  TcpHostWatch(std::chrono::milliseconds timeout, UniqueFd listener, std::string address,
               std::unique_ptr<watch::Inbox> inbox)
      : timeout_(timeout),
        listener_(std::move(listener)),
        address_(std::move(address)),
        inbox_(std::move(inbox)),
        owner_(getpid()) {}
  ~TcpHostWatch() override { leave(); }

  const std::string& address() const override { return address_; }
  std::chrono::milliseconds timeout() const override { return timeout_; }

  Result<> start(int my_host, std::vector<std::string> addresses, Callbacks callbacks) override {
    if (engine_) {
      return fail(Errc::already_initialized, "the host watch of host {} has been started", my_host);
    }
    if (my_host < 0 || static_cast<size_t>(my_host) >= addresses.size() ||
        addresses[static_cast<size_t>(my_host)] != address_) {
      return fail(Errc::invalid_argument,
                  "host {} of {} is not where the address of this host watch stands", my_host,
                  addresses.size());
    }
    std::vector<WatchAddress> parsed;
    for (const std::string& text : addresses) {
      CANOPY_ASSIGN(WatchAddress one, WatchAddress::parse(text));
      parsed.push_back(std::move(one));
    }
    engine_.emplace(my_host, std::move(parsed), timeout_ns(), std::move(listener_),
                    std::move(callbacks), *inbox_);
    auto started = start_thread(&thread_, "the watch over other hosts", [this] {
      pthread_setname_np(pthread_self(), "canopy-hosts");
      engine_->run();
    });
    if (!started) {
      engine_.reset();
    }
    return started;
  }

  Result<> tell_all(std::string_view notice) override {
    if (notice.size() > kMaxNotice) {
      return fail(Errc::limit, "a notice of {} bytes: {} are the most", notice.size(), kMaxNotice);
    }
    if (!engine_ || !inbox_->tell(notice)) {
      return fail(Errc::not_ready, "the host watch {}: it tells nobody",
                  engine_ ? "has left" : "is not started");
    }
    return {};
  }

  void leave() override {
    if (!thread_.joinable()) {
      return;
    }
    if (getpid() != owner_) {
      thread_.detach();  // a fork's child has no such thread, and must not speak for the host
      return;
    }
    inbox_->ask_to_leave();
    thread_.join();
  }

 private:
  uint64_t timeout_ns() const { return static_cast<uint64_t>(timeout_.count()) * 1'000'000; }

  std::chrono::milliseconds timeout_;
  UniqueFd listener_;  // until start()
  std::string address_;
  std::unique_ptr<watch::Inbox> inbox_;
  pid_t owner_;
  std::optional<watch::WatchEngine> engine_;  // the thread's, once it runs
  std::thread thread_;
};

}  // namespace

std::chrono::milliseconds HostWatch::usual_timeout() {
  return std::chrono::milliseconds(env::integer("CANOPY_HOST_TIMEOUT_MS").value_or(kDefaultTimeoutMs));
}

Result<std::unique_ptr<HostWatch>> HostWatch::listen(std::chrono::milliseconds timeout) {
  CANOPY_ASSIGN(const std::chrono::milliseconds limit, timeout_from(timeout));
  CANOPY_ASSIGN(UniqueFd listener, bound_listener());
  CANOPY_ASSIGN(const uint16_t port, port_of(listener));
  CANOPY_ASSIGN(const WatchAddress address, WatchAddress::of_this_host(port, random_id()));
  CANOPY_ASSIGN(auto inbox, watch::Inbox::create());
  return std::make_unique<TcpHostWatch>(limit, std::move(listener), address.text(),
                                        std::move(inbox));
}

}  // namespace canopy
