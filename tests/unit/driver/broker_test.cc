#include "runtime/driver/broker.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/broker_connection.h"
#include "runtime/driver/broker_protocol.h"
#include "tests/unit/driver/child_process.h"

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

// Children are forked before the test starts its own Broker: ThreadSanitizer allows no threads in
// the child of a process that had threads.

namespace canopy {
namespace {

using test::ChildProcess;
using test::Line;

constexpr size_t kBytes = 1 << 20;

std::unique_ptr<Broker> start(Broker::LostCallback on_lost = {}) {
  auto broker = Broker::start(std::move(on_lost));
  EXPECT_TRUE(broker) << error_text::newest();
  return broker ? std::move(*broker) : nullptr;
}

bool soon(FunctionRef<bool()> done, std::chrono::milliseconds limit) {
  return wait_until(done, nullptr, BellScope::process, Deadline::after(limit),
                    [] { return std::string("the test"); }) == WaitEnd::ready;
}

size_t open_fds() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

// Another process with a Broker that publishes kBytes of memory.
struct Exporter {
  std::unique_ptr<ChildProcess> process;
  std::string address;
  uint64_t id = 0;

  // `after` runs in the child once it has published; when it returns, the broker says goodbye.
  template <class After>
  explicit Exporter(After after, std::vector<pid_t> pids = {}) {
    process = std::make_unique<ChildProcess>([&](Line& line) {
      auto broker = start();
      auto memory = sealed_memfd("broker-test", kBytes);
      auto map = Mapping::shared(*memory, kBytes);
      std::strcpy(reinterpret_cast<char*>(map->base()), "from the exporter");
      const auto published = broker->publish(*memory, kBytes, pids);
      struct stat found {};
      ::fstat(memory->get(), &found);
      line.say(fmt::format("{} {} {}", broker->address(), *published, found.st_ino));
      after(line, broker, *published, *map);
    });
    std::istringstream(process->line().hear()) >> address >> id >> inode;
  }
  Exporter() : Exporter([](Line& line, auto&, uint64_t, Mapping&) { line.hear(); }) {}
  ino_t inode = 0;
};

TEST(Broker, FetchedMemoryIsTheSameFile) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1)) << error_text::newest();
  auto memory = broker->fetch(exporter.address, exporter.id);
  ASSERT_TRUE(memory) << error_text::newest();
  EXPECT_EQ(memory->bytes, kBytes);
  struct stat found {};
  ASSERT_EQ(::fstat(memory->fd.get(), &found), 0);
  EXPECT_EQ(found.st_ino, exporter.inode);
  EXPECT_NE(::fcntl(memory->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Broker, FetchedMemoryIsSharedBothWays) {
  Exporter exporter([](Line& line, auto&, uint64_t, Mapping& map) {
    line.hear();
    line.say(reinterpret_cast<const char*>(map.base()));
    line.hear();
  });
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  auto memory = broker->fetch(exporter.address, exporter.id);
  ASSERT_TRUE(memory);
  auto map = Mapping::shared(memory->fd, kBytes);
  ASSERT_TRUE(map);
  EXPECT_STREQ(reinterpret_cast<const char*>(map->base()), "from the exporter");
  std::strcpy(reinterpret_cast<char*>(map->base()), "from the importer");
  exporter.process->line().say("read");
  EXPECT_EQ(exporter.process->line().hear(), "from the importer");
  EXPECT_NE(::ftruncate(memory->fd.get(), 0), 0) << "sealed memory must not shrink";
}

TEST(Broker, WithdrawnMemoryStaysValidButIsNotFetchedAgain) {
  Exporter exporter([](Line& line, auto& broker, uint64_t id, Mapping&) {
    line.hear();
    broker->withdraw(id);
    line.say("withdrawn");
    line.hear();
  });
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  auto memory = broker->fetch(exporter.address, exporter.id);
  ASSERT_TRUE(memory);
  exporter.process->line().say("withdraw");
  ASSERT_EQ(exporter.process->line().hear(), "withdrawn");
  EXPECT_EQ(broker->fetch(exporter.address, exporter.id).error().code, Errc::not_found);
  EXPECT_TRUE(Mapping::shared(memory->fd, kBytes));
}

TEST(Broker, UnknownIdIsNotFound) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  EXPECT_EQ(broker->fetch(exporter.address, exporter.id + 1).error().code, Errc::not_found);
  EXPECT_TRUE(broker->fetch(exporter.address, exporter.id));
}

TEST(Broker, OnlyListedPidsMayFetch) {
  Exporter closed([](Line& line, auto&, uint64_t, Mapping&) { line.hear(); }, {::getpid() + 1});
  Exporter open([](Line& line, auto&, uint64_t, Mapping&) { line.hear(); },
                {::getpid() + 1, ::getpid()});
  auto broker = start();
  ASSERT_TRUE(broker->connect(closed.address, 1));
  ASSERT_TRUE(broker->connect(open.address, 2));
  EXPECT_EQ(broker->fetch(closed.address, closed.id).error().code, Errc::no_permission);
  EXPECT_TRUE(broker->fetch(open.address, open.id)) << error_text::newest();
}

TEST(Broker, PublishRefusesMoreBytesThanTheFileHas) {
  auto broker = start();
  auto memory = sealed_memfd("broker-test", kBytes);
  EXPECT_EQ(broker->publish(*memory, kBytes + 1).error().code, Errc::invalid_argument);
  EXPECT_EQ(broker->publish(UniqueFd(), 0).error().code, Errc::invalid_argument);
}

TEST(Broker, FetchNeedsAConnection) {
  auto broker = start();
  EXPECT_EQ(broker->fetch("canopy.nobody", 1).error().code, Errc::not_found);
  EXPECT_EQ(broker->connect("canopy.nobody", 1).error().code, Errc::not_found);
  EXPECT_EQ(broker->connect("", 1).error().code, Errc::invalid_argument);
  EXPECT_EQ(broker->connect(std::string(200, 'x'), 1).error().code, Errc::invalid_argument);
  broker->disconnect("canopy.nobody");
}

TEST(Broker, ServesItself) {
  auto broker = start();
  auto memory = sealed_memfd("broker-test", kBytes);
  const auto id = broker->publish(*memory, kBytes);
  ASSERT_TRUE(broker->connect(broker->address(), 1));
  EXPECT_TRUE(broker->fetch(broker->address(), *id)) << error_text::newest();
}

TEST(Broker, ConnectIsIdempotent) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  const size_t before = open_fds();
  EXPECT_TRUE(broker->connect(exporter.address, 1));
  EXPECT_EQ(open_fds(), before);
}

TEST(Broker, DeadExporterIsAnErrorAtOnce) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  exporter.process->kill();
  const uint64_t before = monotonic_ns();
  EXPECT_EQ(broker->fetch(exporter.address, exporter.id).error().code, Errc::peer_lost);
  EXPECT_EQ(broker->connect("canopy.gone", 1).error().code, Errc::not_found);
  EXPECT_LT(monotonic_ns() - before, 1'000'000'000u);
}

TEST(Broker, ExporterKilledDuringAFetchIsAnErrorAtOnce) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  ::kill(exporter.process->pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(exporter.process->pid(), &status, WUNTRACED), exporter.process->pid());
  std::thread killer([&] {
    // Whether the fetch has begun by now or not: it must fail.
    exporter.process->kill();
  });
  EXPECT_EQ(broker->fetch(exporter.address, exporter.id).error().code, Errc::peer_lost);
  killer.join();
}

TEST(Broker, LossIsReportedOnceAndSoonAfterAKill) {
  Exporter exporter;
  std::atomic<int> lost{0};
  std::atomic<uint64_t> tag{0};
  auto broker = start([&](uint64_t t) {
    tag = t;
    ++lost;
  });
  ASSERT_TRUE(broker->connect(exporter.address, 42));
  exporter.process->kill();
  EXPECT_TRUE(soon([&] { return lost == 1; }, std::chrono::milliseconds(500)));
  EXPECT_EQ(tag, 42u);
  EXPECT_EQ(broker->fetch(exporter.address, exporter.id).error().code, Errc::peer_lost);
  broker.reset();
  EXPECT_EQ(lost, 1);
}

TEST(Broker, ExitWithoutFinalizeIsALoss) {
  Exporter exporter([](Line& line, auto&, uint64_t, Mapping&) {
    line.hear();
    ::_exit(0);
  });
  std::atomic<int> lost{0};
  auto broker = start([&](uint64_t) { ++lost; });
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  exporter.process->line().say("leave");
  EXPECT_TRUE(soon([&] { return lost == 1; }, std::chrono::seconds(5)));
}

// The dead whose loss must be reported stands last in line: when it has been, the others' hang-ups
// have been handled too.
TEST(Broker, GoodbyeAndDisconnectAreNoLoss) {
  Exporter orderly([](Line& line, auto& broker, uint64_t, Mapping&) {
    line.hear();
    broker.reset();
    line.say("left");
  });
  Exporter forgotten, dead;
  std::atomic<uint64_t> lost{0};
  auto broker = start([&](uint64_t tag) { lost += tag; });
  ASSERT_TRUE(broker->connect(orderly.address, 1));
  ASSERT_TRUE(broker->connect(forgotten.address, 10));
  ASSERT_TRUE(broker->connect(dead.address, 100));
  orderly.process->line().say("leave");
  EXPECT_EQ(orderly.process->line().hear(), "left");
  EXPECT_EQ(broker->fetch(orderly.address, orderly.id).error().code, Errc::closed);
  broker->disconnect(forgotten.address);
  forgotten.process->kill();
  dead.process->kill();
  EXPECT_TRUE(soon([&] { return lost >= 100; }, std::chrono::seconds(5)));
  broker.reset();
  EXPECT_EQ(lost, 100u);
}

TEST(Broker, ForkedChildOfADeadPeerDoesNotHideItsDeath) {
  ChildProcess peer([](Line& line) {
    auto broker = start();
    line.say(broker->address());
    line.hear();
    if (::fork() == 0) {
      line.say(std::to_string(::getpid()));
      for (;;) {
        ::pause();
      }
    }
    for (;;) {
      ::pause();
    }
  });
  const std::string address = peer.line().hear();
  std::atomic<int> lost{0};
  auto broker = start([&](uint64_t) { ++lost; });
  ASSERT_TRUE(broker->connect(address, 1));
  peer.line().say("fork");
  const pid_t grandchild = std::stoi(peer.line().hear());
  EXPECT_EQ(lost, 0);
  peer.kill();
  EXPECT_TRUE(soon([&] { return lost == 1; }, std::chrono::milliseconds(500)));
  ::kill(grandchild, SIGKILL);
}

TEST(Broker, ChildOfForkLeavesTheParentsConnectionsAlone) {
  Exporter exporter;
  std::atomic<int> lost{0};
  auto broker = start([&](uint64_t) { ++lost; });
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  ChildProcess child([&](Line& line) {
    const auto refused = broker->fetch(exporter.address, exporter.id);
    line.say(!refused && refused.error().code == Errc::forked ? "forked" : "allowed");
    broker.reset();
  });
  EXPECT_EQ(child.line().hear(), "forked");
  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(broker->fetch(exporter.address, exporter.id)) << error_text::newest();
  EXPECT_EQ(lost, 0);
}

TEST(Broker, ManyFetchesLeaveNoDescriptorBehind) {
  Exporter exporter;
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  const size_t before = open_fds();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(broker->fetch(exporter.address, exporter.id)) << error_text::newest();
  }
  EXPECT_EQ(open_fds(), before);
}

TEST(Broker, ThreadsFetchAtTheSameTime) {
  Exporter exporter;
  auto broker = start();
  std::atomic<int> fetched{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      EXPECT_TRUE(broker->connect(exporter.address, 1)) << error_text::newest();
      for (int i = 0; i < 100; ++i) {
        auto memory = broker->fetch(exporter.address, exporter.id);
        struct stat found {};
        if (memory && ::fstat(memory->fd.get(), &found) == 0 && found.st_ino == exporter.inode) {
          ++fetched;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(fetched, 800);
}

// A client that knows sockets but not the protocol.
UniqueFd stranger(const std::string& address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.copy(name.sun_path + 1, address.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.size());
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), bytes), 0);
  return socket;
}

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
  auto client = start();
  ASSERT_TRUE(client->connect(address, 1));
  std::vector<std::unique_ptr<Broker>> crowd;
  for (int i = 0; i < 31; ++i) {
    crowd.push_back(start());
    ASSERT_TRUE(crowd.back()->connect(address, 1)) << i << error_text::newest();
  }
  auto late = start();
  EXPECT_EQ(late->connect(address, 1).error().code, Errc::limit) << error_text::newest();
  EXPECT_TRUE(client->fetch(address, id)) << error_text::newest();
  crowd.clear();
  EXPECT_TRUE(soon([&] { return late->connect(address, 1).has_value(); }, std::chrono::seconds(5)));
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
  UniqueFd waiting = stranger(address);
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
