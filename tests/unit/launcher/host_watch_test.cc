// Several host watches in one process, and a leader made of bare sockets that can misbehave.
#include "launcher/bootstrap/host_watch.h"

#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_wire.h"
#include "runtime/base/clock.h"
#include "runtime/base/unique_fd.h"
#include "tests/unit/launcher/fake_leader.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>

namespace canopy {
namespace {

using namespace std::chrono_literals;
using watch::FrameType;

// What one leader was told.
class Diary {
 public:
  HostWatch::Callbacks callbacks() {
    return {[this](int host, std::string_view reason) {
              note([&] { silent_.emplace_back(host, reason); });
            },
            [this](std::string_view notice) { note([&] { notices_.emplace_back(notice); }); }};
  }
  bool await_notices(size_t n) {
    return await([&] { return notices_.size() >= n; }, kPatience);
  }
  bool await_silent(size_t n) {
    return await([&] { return silent_.size() >= n; }, kPatience);
  }
  // True when nobody was given up for that long.
  bool stays_calm(std::chrono::milliseconds span) {
    return !await([&] { return !silent_.empty(); }, span);
  }
  std::vector<std::string> notices() {
    std::lock_guard lock(mutex_);
    return notices_;
  }
  std::vector<std::pair<int, std::string>> silent() {
    std::lock_guard lock(mutex_);
    return silent_;
  }

 private:
  template <class F>
  void note(F change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <class F>
  bool await(F condition, std::chrono::nanoseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, condition);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> notices_;
  std::vector<std::pair<int, std::string>> silent_;
};

struct Leader {
  explicit Leader(std::chrono::milliseconds timeout)
      : watch(std::move(HostWatch::listen(timeout).value())) {}
  Diary diary;  // outlives the watch that writes it
  std::unique_ptr<HostWatch> watch;
};

// `extra`: addresses of hosts that are no HostWatch, after those that are.
std::vector<std::unique_ptr<Leader>> start_leaders(int n, std::chrono::milliseconds timeout,
                                                   std::vector<std::string> extra = {}) {
  std::vector<std::unique_ptr<Leader>> leaders;
  std::vector<std::string> addresses;
  for (int host = 0; host < n; ++host) {
    leaders.push_back(std::make_unique<Leader>(timeout));
    addresses.push_back(leaders.back()->watch->address());
  }
  addresses.insert(addresses.end(), extra.begin(), extra.end());
  for (int host = 0; host < n; ++host) {
    Leader& one = *leaders[static_cast<size_t>(host)];
    EXPECT_TRUE(one.watch->start(host, addresses, one.diary.callbacks())) << error_text::newest();
  }
  return leaders;
}

TEST(HostWatch, ANoticeReachesEveryOtherLeaderOnce) {
  for (int n : {1, 2, 3, 8}) {
    auto leaders = start_leaders(n, 20s);
    ASSERT_TRUE(leaders[0]->watch->tell_all("first"));
    ASSERT_TRUE(leaders.back()->watch->tell_all("from the last"));
    for (int host = 0; host < n; ++host) {
      Diary& diary = leaders[static_cast<size_t>(host)]->diary;
      const size_t expected = (host != 0 ? 1 : 0) + (host != n - 1 ? 1 : 0);
      EXPECT_TRUE(diary.await_notices(expected)) << "host " << host << " of " << n;
    }
    // Copies would have come by the other ways before this one, which is told last.
    if (n > 1) {
      ASSERT_TRUE(leaders[1]->watch->tell_all("end"));
      EXPECT_TRUE(leaders[0]->diary.await_notices(2));
      for (const auto& leader : leaders) {
        leader->watch->leave();
      }
      EXPECT_EQ(leaders[0]->diary.notices(), (std::vector<std::string>{"from the last", "end"}));
    }
  }
}

TEST(HostWatch, ANoticeThatIsToldBeforeConnectionsStandArrives) {
  auto first = std::make_unique<Leader>(20s);
  auto second = std::make_unique<Leader>(20s);
  const std::vector<std::string> addresses = {first->watch->address(), second->watch->address()};
  ASSERT_TRUE(first->watch->start(0, addresses, first->diary.callbacks()));
  ASSERT_TRUE(first->watch->tell_all("early"));
  ASSERT_TRUE(second->watch->start(1, addresses, second->diary.callbacks()));
  EXPECT_TRUE(second->diary.await_notices(1));
}

TEST(HostWatch, LivingHostsRaiseNoAlarm) {
  auto leaders = start_leaders(4, 1s);
  EXPECT_TRUE(leaders[0]->diary.stays_calm(3s));
  for (const auto& leader : leaders) {
    EXPECT_TRUE(leader->diary.silent().empty());
  }
}

TEST(HostWatch, WhoLeavesIsNotMissed) {
  auto leaders = start_leaders(5, 1s);
  ASSERT_TRUE(leaders[0]->watch->tell_all("all connections on the way stand"));
  for (size_t host = 1; host < leaders.size(); ++host) {
    ASSERT_TRUE(leaders[host]->diary.await_notices(1));
  }
  leaders[2]->watch.reset();
  EXPECT_TRUE(leaders[1]->diary.stays_calm(2s));
  for (const auto& leader : leaders) {
    EXPECT_TRUE(leader->diary.silent().empty());
  }
}

TEST(HostWatch, LeavingTogetherIsQuickAndQuiet) {
  auto leaders = start_leaders(8, 20s);
  ASSERT_TRUE(leaders[0]->watch->tell_all("ready"));
  for (size_t host = 1; host < leaders.size(); ++host) {
    ASSERT_TRUE(leaders[host]->diary.await_notices(1));
  }
  const uint64_t begin_ns = monotonic_ns();
  for (const auto& leader : leaders) {
    leader->watch->leave();
    leader->watch->leave();
  }
  EXPECT_LT(monotonic_ns() - begin_ns, 8'000'000'000u);
  for (const auto& leader : leaders) {
    EXPECT_TRUE(leader->diary.silent().empty());
  }
}

TEST(HostWatch, ASilentHostIsGivenUpAfterTheTimeoutWithOneSentenceForAll) {
  FakeLeader fake(3);
  const uint64_t begin_ns = monotonic_ns();
  auto leaders = start_leaders(3, 1s, {fake.address()});  // host 2 dials it, and host 1
  for (const auto& leader : leaders) {
    ASSERT_TRUE(leader->diary.await_silent(1));
  }
  EXPECT_GE(monotonic_ns() - begin_ns, 1'000'000'000u);
  const auto expected = leaders[0]->diary.silent();
  EXPECT_EQ(expected[0].first, 3);
  EXPECT_NE(expected[0].second.find("host 3 (fake)"), std::string::npos) << expected[0].second;
  EXPECT_NE(expected[0].second.find("nothing was heard"), std::string::npos) << expected[0].second;
  for (const auto& leader : leaders) {
    leader->watch->leave();
    ASSERT_EQ(leader->diary.silent().size(), 1u);
    EXPECT_EQ(leader->diary.silent()[0].first, 3);
  }
}

TEST(HostWatch, AnEndedProcessIsKnownLongBeforeTheTimeout) {
  FakeLeader fake(1);
  auto leaders = start_leaders(1, 60s, {fake.address()});
  const auto greeting = fake.accept_one();
  ASSERT_TRUE(greeting);
  fake.greet_back(*greeting, leaders[0]->watch->address());
  ASSERT_TRUE(fake.read_frame());  // a heartbeat: the connection stands
  const uint64_t begin_ns = monotonic_ns();
  fake.die();
  ASSERT_TRUE(leaders[0]->diary.await_silent(1));
  EXPECT_LT(monotonic_ns() - begin_ns, 5'000'000'000u);
  const auto silent = leaders[0]->diary.silent()[0];
  EXPECT_EQ(silent.first, 1);
  EXPECT_NE(silent.second.find("host 1 (fake) has ended"), std::string::npos) << silent.second;
}

TEST(HostWatch, AnEndedProcessThatUsedToDialIsKnownToo) {
  // Of two hosts the lower dials: here the fake one, which then is gone.
  auto leader = std::make_unique<Leader>(60s);
  FakeLeader fake(0);
  const auto theirs = WatchAddress::parse(leader->watch->address()).value();
  ASSERT_TRUE(leader->watch->start(1, {fake.address(), leader->watch->address()},
                                   leader->diary.callbacks()));
  const SocketAddress address = socket_address(theirs.ips[0], theirs.port);
  UniqueFd dialled(socket(address.storage.ss_family, SOCK_STREAM, 0));
  ASSERT_EQ(connect(dialled.get(), address.get(), address.length), 0);
  std::string bytes;
  watch::append_frame(bytes, FrameType::greeting,
                      watch::encode(watch::Greeting{0, 1, theirs.nonce}));
  ASSERT_EQ(send(dialled.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  char reply[64];
  ASSERT_GT(recv(dialled.get(), reply, sizeof reply, 0), 0);
  fake.die();
  dialled.reset();
  ASSERT_TRUE(leader->diary.await_silent(1));
  EXPECT_NE(leader->diary.silent()[0].second.find("host 0 (fake) has ended"), std::string::npos)
      << leader->diary.silent()[0].second;
}

TEST(HostWatch, ABrokenConnectionIsMadeAnew) {
  FakeLeader fake(1);
  auto leaders = start_leaders(1, 60s, {fake.address()});
  for (int life = 0; life < 3; ++life) {
    const auto greeting = fake.accept_one();
    ASSERT_TRUE(greeting) << "life " << life;
    fake.greet_back(*greeting, leaders[0]->watch->address());
    fake.write_frame(FrameType::notice,
                     watch::encode(watch::Notice{watch::NoticeKind::told, 1,
                                                 static_cast<uint32_t>(life), 1, "still here"}));
    ASSERT_TRUE(leaders[0]->diary.await_notices(static_cast<size_t>(life) + 1));
    fake.hang_up();
  }
  EXPECT_TRUE(leaders[0]->diary.silent().empty());
}

TEST(HostWatch, WhatWasMissedIsToldOverTheNextConnection) {
  FakeLeader fake(1);
  auto leaders = start_leaders(1, 60s, {fake.address()});
  auto greeting = fake.accept_one();
  ASSERT_TRUE(greeting);
  fake.hang_up();
  ASSERT_TRUE(leaders[0]->watch->tell_all("while nobody listened"));
  greeting = fake.accept_one();
  ASSERT_TRUE(greeting);
  fake.greet_back(*greeting, leaders[0]->watch->address());
  std::optional<watch::Frame> frame;
  while ((frame = fake.read_frame()) && frame->type != FrameType::notice) {
  }
  ASSERT_TRUE(frame);
  EXPECT_EQ(watch::decode_notice(frame->payload)->text, "while nobody listened");
}

TEST(HostWatch, AHostThatWasGivenUpIsTold) {
  FakeLeader fake(1);
  auto leaders = start_leaders(1, 60s, {fake.address()});
  const auto greeting = fake.accept_one();
  ASSERT_TRUE(greeting);
  fake.greet_back(*greeting, leaders[0]->watch->address());
  // Host 1 has heard from a third one that host 0 is lost.
  fake.write_frame(FrameType::notice,
                   watch::encode(watch::Notice{watch::NoticeKind::lost, 1, 0, 0, "host 0 froze"}));
  ASSERT_TRUE(leaders[0]->diary.await_silent(1));
  EXPECT_EQ(leaders[0]->diary.silent()[0], std::make_pair(0, std::string("host 0 froze")));
}

// What a stranger sends, and that he hears nothing but the end of the connection.
void expect_hung_up(const Leader& leader, std::string_view bytes) {
  const auto address = WatchAddress::parse(leader.watch->address()).value();
  const SocketAddress place = socket_address(address.ips[0], address.port);
  const UniqueFd fd(socket(place.storage.ss_family, SOCK_STREAM, 0));
  ASSERT_EQ(connect(fd.get(), place.get(), place.length), 0);
  ASSERT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  pollfd event{fd.get(), POLLIN, 0};
  ASSERT_EQ(poll(&event, 1, std::chrono::milliseconds(kPatience).count()), 1);
  char byte;
  EXPECT_LE(recv(fd.get(), &byte, 1, 0), 0);
}

TEST(HostWatch, StrangersAreHungUpOn) {
  auto leaders = start_leaders(2, 20s);
  const auto greeting = [](uint32_t from, uint32_t to, uint64_t nonce) {
    std::string bytes;
    watch::append_frame(bytes, FrameType::greeting,
                        watch::encode(watch::Greeting{from, to, nonce}));
    return bytes;
  };
  const uint64_t nonce = WatchAddress::parse(leaders[1]->watch->address()).value().nonce;
  expect_hung_up(*leaders[1], "GET / HTTP/1.0\r\n\r\n");
  expect_hung_up(*leaders[1], std::string("\x01\xff\xff\xff\xff", 5));  // 4 GiB announced
  expect_hung_up(*leaders[1], greeting(0, 1, nonce + 1));               // of another job
  expect_hung_up(*leaders[1], greeting(0, 0, nonce));                   // meant for another host
  expect_hung_up(*leaders[1], greeting(77, 1, nonce));                  // no such host
  ASSERT_TRUE(leaders[0]->watch->tell_all("well"));
  EXPECT_TRUE(leaders[1]->diary.await_notices(1));
  EXPECT_TRUE(leaders[1]->diary.silent().empty());
}

TEST(HostWatch, SilentStrangersAreNotKept) {
  auto leaders = start_leaders(1, 200ms);
  expect_hung_up(*leaders[0], "");
}

TEST(HostWatch, MistakesOfCallersAreErrors) {
  auto lone = HostWatch::listen(1s).value();
  EXPECT_EQ(lone->tell_all("x").error().code, Errc::not_ready);
  EXPECT_EQ(lone->start(1, {lone->address()}, {}).error().code, Errc::invalid_argument);
  EXPECT_EQ(lone->start(0, {"somebody else"}, {}).error().code, Errc::invalid_argument);
  EXPECT_EQ(lone->start(0, {lone->address(), "h1 nonsense"}, {}).error().code, Errc::parse);
  ASSERT_TRUE(lone->start(0, {lone->address()}, {}));
  EXPECT_EQ(lone->start(0, {lone->address()}, {}).error().code, Errc::already_initialized);
  EXPECT_TRUE(lone->tell_all(std::string(HostWatch::kMaxNotice, 'n')));
  EXPECT_EQ(lone->tell_all(std::string(HostWatch::kMaxNotice + 1, 'n')).error().code, Errc::limit);
  lone->leave();
  EXPECT_EQ(lone->tell_all("x").error().code, Errc::not_ready);
}

TEST(HostWatch, TheTimeoutComesFromTheEnvironment) {
  EXPECT_EQ(HostWatch::listen().value()->timeout(), 10s);
  setenv("CANOPY_HOST_TIMEOUT_MS", "2500", 1);
  EXPECT_EQ(HostWatch::listen().value()->timeout(), 2500ms);
  setenv("CANOPY_HOST_TIMEOUT_MS", "5", 1);
  EXPECT_EQ(HostWatch::listen().error().code, Errc::out_of_range);
  unsetenv("CANOPY_HOST_TIMEOUT_MS");
}

TEST(HostWatch, TheLongestNoticeArrivesWhole) {
  auto leaders = start_leaders(2, 20s);
  std::string text(HostWatch::kMaxNotice, '\0');
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(i * 31 % 251);
  }
  ASSERT_TRUE(leaders[1]->watch->tell_all(text));
  ASSERT_TRUE(leaders[0]->diary.await_notices(1));
  EXPECT_EQ(leaders[0]->diary.notices()[0], text);
}

}  // namespace
}  // namespace canopy
