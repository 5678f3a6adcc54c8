// A leader of a host made of bare sockets, which can misbehave where a HostWatch would not.
#pragma once

#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_wire.h"
#include "runtime/base/unique_fd.h"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace canopy {

inline constexpr std::chrono::seconds kPatience{30};  // only a failing test waits that long

// Host `host` of a job, by hand: accepts one connection at a time and greets as a leader would.
class FakeLeader {
 public:
  explicit FakeLeader(uint32_t host) : host_(host), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    socklen_t size = sizeof any;
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), size);
    listen(listener_.get(), 8);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&any), &size);
    card_ = {"fake", ntohs(any.sin_port), 0xfeedULL, {"127.0.0.1"}};
  }
  std::string address() const { return card_.text(); }

  // The greeting that came, if one did within the patience.
  std::optional<watch::Greeting> accept_one() {
    pollfd event{listener_.get(), POLLIN, 0};
    if (poll(&event, 1, std::chrono::milliseconds(kPatience).count()) != 1) {
      return std::nullopt;
    }
    connection_.reset(accept(listener_.get(), nullptr, nullptr));
    in_.clear();
    const auto frame = read_frame();
    return frame ? watch::decode_greeting(frame->payload) : std::nullopt;
  }
  // REQUIRES: a greeting has come; `theirs` is the card of who sent it.
  void greet_back(const watch::Greeting& greeting, const std::string& theirs) {
    write_frame(watch::FrameType::greeting,
                watch::encode(watch::Greeting{host_, greeting.from,
                                              WatchAddress::parse(theirs).value().nonce}));
  }
  void write_frame(watch::FrameType type, std::string_view payload) {
    std::string bytes;
    watch::append_frame(bytes, type, payload);
    EXPECT_EQ(send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Nothing at the end of the connection.
  std::optional<watch::Frame> read_frame() {
    watch::Frame frame;
    char part[4096];
    while (watch::take_frame(in_, 1 << 20, &frame) != watch::Taken::whole) {
      const ssize_t n = recv(connection_.get(), part, sizeof part, 0);
      if (n <= 0) {
        return std::nullopt;
      }
      in_.append(part, static_cast<size_t>(n));
    }
    return frame;
  }
  void hang_up() { connection_.reset(); }
  void die() {
    listener_.reset();
    connection_.reset();
  }

 private:
  uint32_t host_;
  UniqueFd listener_;
  UniqueFd connection_;
  std::string in_;
  WatchAddress card_;
};

}  // namespace canopy
