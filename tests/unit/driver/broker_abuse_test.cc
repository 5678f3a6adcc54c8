// Broker against clients that misbehave, and against shortage.
#include "runtime/driver/broker.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/broker_connection.h"
#include "runtime/driver/broker_protocol.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace canopy {
namespace {

using namespace test;

TEST(Broker, GarbageIsDroppedAndOthersAreServed) {
  auto server = start();
  auto client = start();
  auto memory = sealed_memfd("broker-test", kBytes);
  const auto id = server->publish(*memory, kBytes);
  ASSERT_TRUE(client->connect(server->address(), 1));
  const broker_protocol::Message good{.op = broker_protocol::Op::hello};
  broker_protocol::Message foreign = good;
  foreign.version = broker_protocol::kVersion + 1;
  broker_protocol::Message early = good;
  early.op = broker_protocol::Op::fetch;
  broker_protocol::Message odd = good;
  odd.op = static_cast<broker_protocol::Op>(999);
  const std::string oversized(10'000, 'x');
  const auto text = [](const auto& message) {
    return std::string(reinterpret_cast<const char*>(&message), sizeof message);
  };
  for (const std::string& sent : {std::string("garbage"), oversized, text(good).substr(0, 20),
                                  text(good) + "x", text(foreign), text(early), text(odd)}) {
    UniqueFd socket = stranger(server->address());
    ASSERT_EQ(::send(socket.get(), sent.data(), sent.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(sent.size()));
    char answer[64];
    while (::recv(socket.get(), answer, sizeof answer, 0) > 0) {
    }  // until the server hangs up
    EXPECT_TRUE(client->fetch(server->address(), *id)) << error_text::newest();
  }
  // Descriptors that nobody asked for.
  UniqueFd socket = stranger(server->address());
  ASSERT_EQ(broker_socket::send_message(socket, good, memory->get()), broker_socket::Sent::done);
  char answer[64];
  while (::recv(socket.get(), answer, sizeof answer, 0) > 0) {
  }
  EXPECT_TRUE(client->fetch(server->address(), *id)) << error_text::newest();
}

TEST(Broker, ClientThatNeverReadsIsDroppedAndOthersAreServed) {
  auto server = start();
  auto client = start();
  auto memory = sealed_memfd("broker-test", kBytes);
  const auto id = server->publish(*memory, kBytes);
  ASSERT_TRUE(client->connect(server->address(), 1));
  const size_t before = open_fds();
  UniqueFd socket = stranger(server->address());
  broker_protocol::Message message{.op = broker_protocol::Op::hello};
  ASSERT_EQ(::send(socket.get(), &message, sizeof message, 0), sizeof message);
  message.op = broker_protocol::Op::fetch;
  message.id = *id;
  while (::send(socket.get(), &message, sizeof message, MSG_NOSIGNAL) > 0) {
  }  // until the server hangs up
  EXPECT_TRUE(client->fetch(server->address(), *id)) << error_text::newest();
  socket.reset();
  EXPECT_EQ(open_fds(), before);
}

// 64 descriptors: 32 connections, of which one process may have 8.
TEST(Broker, TooManyConnectionsAreRefusedAndOthersAreServed) {
  ChildProcess child([](Line& line) {
    rlimit files{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &files);
    auto server = start();
    auto memory = sealed_memfd("broker-test", kBytes);
    line.say(fmt::format("{} {}", server->address(), *server->publish(*memory, kBytes)));
    line.hear();
  });
  std::string address;
  uint64_t id = 0;
  std::istringstream(child.line().hear()) >> address >> id;
  const auto crowd_of = [&](int size) {
    return std::make_unique<ChildProcess>([&address, size](Line& line) {
      std::vector<std::unique_ptr<Broker>> crowd;
      for (int i = 0; i < size; ++i) {
        crowd.push_back(start());
        if (!crowd.back()->connect(address, 1)) {
          return;
        }
      }
      auto one_more = start();
      line.say(size < 8 || one_more->connect(address, 1).error().code == Errc::limit ? "connected" : "more than its part");
      line.hear();
    });
  };
  std::vector<std::unique_ptr<ChildProcess>> crowds;
  for (int size : {8, 8, 8, 7}) {
    crowds.push_back(crowd_of(size));
  }
  for (auto& crowd : crowds) {
    ASSERT_EQ(crowd->line().hear(), "connected");
  }
  auto client = start();
  auto late = start();
  ASSERT_TRUE(client->connect(address, 1)) << error_text::newest();
  EXPECT_EQ(late->connect(address, 1).error().code, Errc::limit) << error_text::newest();
  EXPECT_TRUE(client->fetch(address, id)) << error_text::newest();
  crowds.pop_back();
  EXPECT_TRUE(soon([&] { return late->connect(address, 1).has_value(); }, std::chrono::seconds(5)));
}

// Who has taken the last descriptor for its own ends goes on sharing what it has.
TEST(Broker, ServerWithoutDescriptorsServesNewcomers) {
  ChildProcess child([](Line& line) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_cur, 256);
    ::setrlimit(RLIMIT_NOFILE, &files);
    auto server = start();
    const auto memory = sealed_memfd("shared", 4096);
    const auto id = server->publish(*memory, 4096);
    while (::dup(0) >= 0) {
    }
    line.say(fmt::format("{} {}", server->address(), id ? *id : 0));
    line.hear();
  });
  const std::string said = child.line().hear();
  const std::string address = said.substr(0, said.find(' '));
  const uint64_t id = std::stoull(said.substr(said.find(' ') + 1));
  for (int newcomer = 0; newcomer < 4; ++newcomer) {
    auto client = start();
    ASSERT_TRUE(client->connect(address, 1)) << error_text::newest();
    EXPECT_TRUE(client->fetch(address, id)) << error_text::newest();
  }
}

TEST(Broker, ServerRunningOutOfDescriptorsServesAgainLater) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd log_out(ends[0]), log_in(ends[1]);
  ChildProcess child([&](Line& line) {
    ::dup2(log_in.get(), STDERR_FILENO);
    set_log_level(LogLevel::warn);
    auto server = start();
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    rlimit none = files;
    none.rlim_cur = static_cast<rlim_t>(UniqueFd(::dup(0)).get());  // the lowest that is free
    ::setrlimit(RLIMIT_NOFILE, &none);
    line.say(server->address());
    line.hear();
    ::setrlimit(RLIMIT_NOFILE, &files);
    line.hear();
  });
  const std::string address = child.line().hear();
  std::vector<UniqueFd> waiting;  // more than it keeps descriptors for
  for (int i = 0; i < 32; ++i) {
    waiting.push_back(stranger(address));
  }
  char text[512] = {};
  ASSERT_GT(::read(log_out.get(), text, sizeof text - 1), 0);
  EXPECT_NE(std::strstr(text, "cannot accept connections"), nullptr) << text;
  child.line().say("more");
  auto client = start();
  EXPECT_TRUE(client->connect(address, 1)) << error_text::newest();
}

TEST(Broker, ThreadHasANameAndBlocksSignals) {
  auto broker = start();
  const auto found = [] {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name, word, mask;
      std::ifstream(task.path() / "comm") >> name;
      std::ifstream status(task.path() / "status");
      while (status >> word && word != "SigBlk:") {
      }
      status >> mask;
      if (name == "canopy-broker") {
        return mask;
      }
    }
    return std::string();
  };
  ASSERT_TRUE(soon([&] { return !found().empty(); }, std::chrono::seconds(5)));
  const uint64_t mask = std::stoull(found(), nullptr, 16);
  EXPECT_NE(mask & (1ull << (SIGINT - 1)), 0u);
  EXPECT_NE(mask & (1ull << (SIGCHLD - 1)), 0u);
}

TEST(Broker, StartsAndStopsManyTimes) {
  const size_t before = open_fds();
  for (int i = 0; i < 100; ++i) {
    auto one = start();
    auto other = start();
    ASSERT_TRUE(one->connect(other->address(), 1));
    ASSERT_TRUE(other->connect(one->address(), 1));
  }
  EXPECT_EQ(open_fds(), before);
}

}  // namespace
}  // namespace canopy
