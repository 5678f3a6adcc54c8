// Broker against processes that mean no good: refused or dropped, with a line that names them, and whoever behaves is
// served meanwhile. What one client does wrong: broker_abuse_test.cc; an exporter that lies: broker_liar_test.cc.
#include "runtime/base/clock.h"
#include "runtime/base/random_id.h"
#include "runtime/driver/broker_clients.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace canopy {
namespace {

using namespace test;
using broker_protocol::Message;
using broker_protocol::Op;
using broker_protocol::Status;

constexpr uid_t kNobody = 65534;

bool become_nobody() {
  const bool changed = ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                       ::setresuid(kNobody, kNobody, kNobody) == 0;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // forgotten with the uid
  return changed;
}

// A process that publishes kBytes, by an id and a secret, and whose log we can read.
struct Server {
  UniqueFd log{::memfd_create("broker-log", MFD_CLOEXEC)};
  std::unique_ptr<ChildProcess> process;
  std::string address;
  uint64_t id = 0;
  Secret secret;

  explicit Server(rlim_t files = 0, bool nobody = false) {
    process = std::make_unique<ChildProcess>([&](Line& line) {
      ::dup2(log.get(), STDERR_FILENO);
      ::fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
      set_log_level(LogLevel::warn);
      if (files != 0) {
        const rlimit few{files, files};
        ::setrlimit(RLIMIT_NOFILE, &few);
      }
      if (nobody && !become_nobody()) {
        return;
      }
      auto broker = start();
      auto memory = std::make_shared<const UniqueFd>(std::move(*sealed_memfd("broker-test", kBytes)));
      const Secret key = Secret::random();
      const auto published = broker->publish(Export{.fd = memory, .bytes = kBytes, .secret = key, .pids = {}, .owner = {}});
      line.say(fmt::format("{} {} {} {}", broker->address(), *published, key.bits[0], key.bits[1]));
      while (line.hear() == "withdraw") {
        broker->withdraw(*published);
        line.say("done");
      }
    });
    std::istringstream(process->line().hear()) >> address >> id >> secret.bits[0] >> secret.bits[1];
  }

  FetchRequest right() const { return FetchRequest{.id = id, .secret = secret}; }
  Message request() const {
    return Message{.op = Op::fetch, .id = id, .secret = {secret.bits[0], secret.bits[1]}, .kind = static_cast<uint32_t>(ObjectKind::memory)};
  }
  std::string logged() const {
    std::string text(1 << 20, '\0');
    const ssize_t got = ::pread(log.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
  }
  bool says(const std::string& what) const { return logged().find(what) != std::string::npos; }
};

UniqueFd greeted(const std::string& address) {
  UniqueFd socket = stranger(address);
  const Message hello{.op = Op::hello};
  Message reply;
  if (!socket || ::send(socket.get(), &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello ||
      ::recv(socket.get(), &reply, sizeof reply, 0) != sizeof reply || reply.status != Status::ok) {
    return UniqueFd();
  }
  return socket;
}

// What a client that behaves waits for each of `count` fetches, sorted.
std::vector<uint64_t> waits_of(Broker& client, const Server& server, int count) {
  std::vector<uint64_t> waits;
  for (int i = 0; i < count; ++i) {
    const uint64_t before = monotonic_ns();
    EXPECT_TRUE(client.fetch(server.address, server.right())) << error_text::newest();
    waits.push_back(monotonic_ns() - before);
  }
  std::sort(waits.begin(), waits.end());
  return waits;
}

// ---- Several ways to be a nuisance, each for as long as the process lives.

struct Attack {
  const char* name;
  void (*run)(const Server& server);
  const char* told;  // what the log says about it, after its pid; "": nothing
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

void guess(const Server& server) {
  for (;;) {
    UniqueFd socket = greeted(server.address);
    for (int i = 0; socket && i < 1000; ++i) {
      Message request = server.request();
      request.id ^= random_id() & (i % 2 == 0 ? ~uint64_t{0} : 0);
      request.secret[0] = random_id();
      Message reply;
      if (::send(socket.get(), &request, sizeof request, MSG_NOSIGNAL) < 0 ||
          ::recv(socket.get(), &reply, sizeof reply, 0) <= 0) {
        socket.reset();
      }
    }
  }
}

void ask_for_ever(const Server& server) {
  const UniqueFd socket = greeted(server.address);
  const Message request = server.request();
  for (;;) {
    broker_socket::send_message(socket, request);
    Message reply;
    UniqueFd passed;
    broker_socket::receive_message(socket, reply, &passed);
  }
}

void connect_and_leave(const Server& server) {
  for (;;) {
    stranger(server.address);
  }
}

void connect_and_stay(const Server& server) {
  std::vector<UniqueFd> kept;
  for (;;) {
    UniqueFd socket = greeted(server.address);
    if (socket && kept.size() < 500) {
      kept.push_back(std::move(socket));
    }
  }
}

void connect_and_say_nothing(const Server& server) {
  std::vector<UniqueFd> kept;
  for (;;) {
    UniqueFd socket = stranger(server.address);
    if (socket && kept.size() < 500) {
      kept.push_back(std::move(socket));
    }
  }
}

void send_garbage(const Server& server) {
  for (;;) {
    const UniqueFd socket = stranger(server.address);
    std::string bytes(random_id() % 300, '\0');
    std::generate(bytes.begin(), bytes.end(), [] { return static_cast<char>(random_id()); });
    ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

void send_descriptors(const Server& server) {
  for (;;) {
    const UniqueFd socket = stranger(server.address);
    broker_socket::send_message(socket, Message{.op = Op::hello}, STDIN_FILENO);
  }
}

void never_read(const Server& server) {
  std::vector<UniqueFd> kept;
  for (;;) {
    UniqueFd socket = greeted(server.address);
    const Message request = server.request();
    while (socket && ::send(socket.get(), &request, sizeof request, MSG_NOSIGNAL) > 0) {
    }
    if (kept.size() < 4) {  // what it was sent stays on the way
      kept.push_back(std::move(socket));
    }
  }
}

const Attack kAttacks[] = {
    {"Guesses", guess, "no such object, kind or key"},
    {"AsksForEver", ask_for_ever, ""},
    {"ConnectsAndLeaves", connect_and_leave, ""},
    {"ConnectsAndStays", connect_and_stay, "has 128 connections already"},
    {"ConnectsAndSaysNothing", connect_and_say_nothing, "has 128 connections already"},
    {"SendsGarbage", send_garbage, "sent what is not a message"},
    {"SendsDescriptors", send_descriptors, "sent what is not a message"},
    {"NeverReads", never_read, "does not read its replies"},
};

class BrokerUnderAttack : public testing::TestWithParam<Attack> {};

TEST_P(BrokerUnderAttack, ServesOthersAndNamesWhoItWas) {
  Server server(1024);
  std::vector<std::unique_ptr<ChildProcess>> attackers;
  for (int i = 0; i < 2; ++i) {
    attackers.push_back(std::make_unique<ChildProcess>([&](Line&) { GetParam().run(server); }));
  }
  auto client = start();
  ASSERT_TRUE(client->connect(server.address, 1)) << error_text::newest();
  const std::string told = GetParam().told;
  const auto named = [&] {
    const std::string text = server.logged();
    return std::all_of(attackers.begin(), attackers.end(), [&](const auto& attacker) {
      const size_t at = text.find(fmt::format("pid {}", attacker->pid()));
      return at != std::string::npos && text.find(told, at) != std::string::npos;
    });
  };
  EXPECT_TRUE(told.empty() || soon([&] { return named(); }, std::chrono::seconds(10))) << server.logged();
  const std::vector<uint64_t> waits = waits_of(*client, server, 300);
  EXPECT_LT(waits[waits.size() * 99 / 100], 100'000'000u) << "of 100 fetches 99 within 100 ms";
  auto newcomer = start();
  EXPECT_TRUE(newcomer->connect(server.address, 1)) << error_text::newest();
  EXPECT_TRUE(newcomer->fetch(server.address, server.right())) << error_text::newest();
  std::printf("[ waits    ] median %.0f us, 99 of 100 within %.1f ms, longest %.1f ms\n", static_cast<double>(waits[150]) / 1e3,
              static_cast<double>(waits[297]) / 1e6, static_cast<double>(waits.back()) / 1e6);
  const std::string text = server.logged();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 2 * 3 * Complaints::kLinesEach) << "the log must not be flooded";
}

INSTANTIATE_TEST_SUITE_P(Client, BrokerUnderAttack, testing::ValuesIn(kAttacks),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- Who may not.

TEST(BrokerSecurity, GuessesAreNeverRight) {
  Server server;
  ChildProcess guesser([&](Line& line) {
    const UniqueFd socket = greeted(server.address);
    int right = 0;
    for (int i = 0; i < 5000; ++i) {
      Message request = server.request();
      // One bit of the id or of the secret, or a kind, is wrong.
      const int bit = i % 193;
      if (bit < 64) {
        request.id ^= uint64_t{1} << bit;
      } else if (bit < 192) {
        request.secret[(bit - 64) / 64] ^= uint64_t{1} << (bit % 64);
      } else {
        request.kind = static_cast<uint32_t>(ObjectKind::event);
      }
      Message reply;
      ::send(socket.get(), &request, sizeof request, MSG_NOSIGNAL);
      right += ::recv(socket.get(), &reply, sizeof reply, 0) != sizeof reply || reply.status != Status::unknown_id ||
               reply.bytes != 0;
    }
    line.say(std::to_string(right));
  });
  EXPECT_EQ(guesser.line().hear(), "0");
}

TEST(BrokerSecurity, AnotherUserIsRefusedAndNamed) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can become another user";
  }
  Server server;
  ChildProcess other([&](Line& line) {
    if (!become_nobody()) {
      return;
    }
    const UniqueFd socket = stranger(server.address);
    Message reply;
    const bool answered = ::recv(socket.get(), &reply, sizeof reply, 0) == sizeof reply;
    line.say(answered && reply.status == Status::foreign_user && ::recv(socket.get(), &reply, sizeof reply, 0) == 0 ? "refused" : "let in");
    auto broker = start();
    const auto connected = broker->connect(server.address, 1);
    line.say(!connected && connected.error().code == Errc::no_permission ? "no permission" : "connected");
    connect_and_leave(server);
  });
  EXPECT_EQ(other.line().hear(), "refused");
  EXPECT_EQ(other.line().hear(), "no permission");
  EXPECT_TRUE(server.says(fmt::format("refused pid {}: it belongs to uid {}", other.pid(), kNobody))) << server.logged();
  auto client = start();
  ASSERT_TRUE(client->connect(server.address, 1)) << error_text::newest();
  EXPECT_LT(waits_of(*client, server, 100)[98], 100'000'000u);
}

TEST(BrokerSecurity, WhatWasWithdrawnIsRefusedToWhoKnowsItAll) {
  Server server;
  auto client = start();
  ASSERT_TRUE(client->connect(server.address, 1));
  const auto had = client->fetch(server.address, server.right());
  ASSERT_TRUE(had) << error_text::newest();
  server.process->line().say("withdraw");
  ASSERT_EQ(server.process->line().hear(), "done");
  EXPECT_EQ(client->fetch(server.address, server.right()).error().code, Errc::not_found);
  EXPECT_TRUE(server.says(fmt::format("refused pid {}: {:#x}: no such object", ::getpid(), server.id))) << server.logged();
}

// ---- What an importer can do with what it has.

TEST(BrokerSecurity, AnImporterCanNeitherResizeNorSealWhatItHas) {
  Server server;
  auto client = start();
  ASSERT_TRUE(client->connect(server.address, 1));
  const auto got = client->fetch(server.address, server.right());
  ASSERT_TRUE(got) << error_text::newest();
  const int fd = got->fd.get();
  EXPECT_EQ(::ftruncate(fd, 0), -1);
  EXPECT_EQ(::ftruncate(fd, 2 * kBytes), -1);
  EXPECT_EQ(::fallocate(fd, 0, kBytes, 4096), -1);
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1) << "would take writing from its owner";
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
  const UniqueFd again(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDWR | O_TRUNC | O_CLOEXEC));
  struct stat found {};
  ASSERT_EQ(::fstat(fd, &found), 0);
  EXPECT_EQ(found.st_size, static_cast<off_t>(kBytes));
}

TEST(BrokerSecurity, NothingLiesBeyondWhatWasShared) {
  Server server;
  ChildProcess importer([&](Line& line) {
    rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    for (const int number : {SIGBUS, SIGSEGV}) {
      ::signal(number, SIG_DFL);  // a sanitizer's handler would make it an exit
    }
    auto client = start();
    if (!client->connect(server.address, 1)) {
      return;
    }
    const auto got = client->fetch(server.address, server.right());
    auto* map = static_cast<volatile char*>(::mmap(nullptr, 2 * kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, got->fd.get(), 0));
    map[kBytes - 1] = 1;
    line.say("inside");
    map[kBytes] = 1;
    line.say("outside");
  });
  EXPECT_EQ(importer.line().hear(), "inside");
  EXPECT_EQ(importer.line().hear(), "");
  const int status = importer.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
}

// ---- Who does not move.

TEST(BrokerSecurity, AStoppedExporterIsATimeoutAndOthersServeMeanwhile) {
  Server stopped, other;
  auto client = std::move(*Broker::start({.on_lost = {}, .on_left = {}, .on_lease_lost = {}, .patience = std::chrono::milliseconds(300)}));
  ASSERT_TRUE(client->connect(stopped.address, 1));
  ASSERT_TRUE(client->connect(other.address, 2));
  ::kill(stopped.process->pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(stopped.process->pid(), &status, WUNTRACED), stopped.process->pid());
  std::thread waits_for_it([&] {
    EXPECT_EQ(client->fetch(stopped.address, stopped.right()).error().code, Errc::timeout) << error_text::newest();
  });
  EXPECT_LT(waits_of(*client, other, 100)[98], 100'000'000u);
  waits_for_it.join();
  ::kill(stopped.process->pid(), SIGCONT);
  EXPECT_TRUE(soon([&] { return client->fetch(stopped.address, stopped.right()).has_value(); }, std::chrono::seconds(10)))
      << error_text::newest();
}

TEST(BrokerSecurity, AStoppedImporterDelaysNobody) {
  Server server;
  ChildProcess importer([&](Line& line) {
    auto broker = start();
    const bool connected = broker->connect(server.address, 1).has_value();
    FetchRequest leased = server.right();
    leased.leased = true;
    line.say(connected && broker->fetch(server.address, leased) ? "imported" : error_text::newest());
    line.hear();
  });
  ASSERT_EQ(importer.line().hear(), "imported");
  ::kill(importer.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(importer.pid(), &status, WUNTRACED), importer.pid());
  auto client = start();
  ASSERT_TRUE(client->connect(server.address, 1));
  EXPECT_LT(waits_of(*client, server, 100)[98], 100'000'000u);
  server.process->line().say("withdraw");
  EXPECT_EQ(server.process->line().hear(), "done");
}

// ---- What all processes of a user have in common.

// Whoever leaves descriptors on the way for long takes them from all processes of the user: an exporter can pass none, and
// says so; nobody is taken for dead.
TEST(BrokerSecurity, DescriptorsThatSomebodyDoesNotTakeAreALimitAndNoLoss) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can become a user whose descriptors are all its own";
  }
  Server server(64, true);
  ASSERT_FALSE(server.address.empty());
  ChildProcess hoarder([&](Line& line) {
    const rlimit few{256, 256};
    ::setrlimit(RLIMIT_NOFILE, &few);
    if (!become_nobody()) {
      return;
    }
    int ends[2];
    (void)!::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
    const UniqueFd in(ends[0]), out(ends[1]);
    line.hear();
    for (int i = 0; i < 100; ++i) {
      broker_socket::send_message(in, Message{}, STDIN_FILENO);
    }
    line.say("on the way");
    line.hear();
    Message message;
    UniqueFd passed;
    while (broker_socket::receive_message(out, message, &passed) == broker_socket::Got::message) {
    }
    passed.reset();
    line.say("taken");
    line.hear();
  });
  ChildProcess importer([&](Line& line) {
    if (!become_nobody()) {
      return;
    }
    auto broker = start();
    line.say(broker->connect(server.address, 1) ? "connected" : error_text::newest());
    while (line.hear() == "fetch") {
      const auto got = broker->fetch(server.address, server.right());
      line.say(got ? "fetched" : got.error().code == Errc::limit ? "limit" : error_text::newest());
    }
  });
  const auto fetched = [&] {
    importer.line().say("fetch");
    return importer.line().hear();
  };
  ASSERT_EQ(importer.line().hear(), "connected");
  EXPECT_EQ(fetched(), "fetched");
  hoarder.line().say("send");
  ASSERT_EQ(hoarder.line().hear(), "on the way");
  EXPECT_EQ(fetched(), "limit");
  EXPECT_TRUE(server.says(fmt::format("refused pid {}: {:#x}: this user has too many descriptors on the way", importer.pid(), server.id))) << server.logged();
  hoarder.line().say("take");
  ASSERT_EQ(hoarder.line().hear(), "taken");
  EXPECT_EQ(fetched(), "fetched");
}

TEST(BrokerClients, WhatIsGivenBackIsTheLeaseOfThatFetch) {
  const std::string address = "test";
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const BrokerClients::Doubt nobody;
  BrokerClients clients(address, epoll, nobody);
  auto file = std::make_shared<const UniqueFd>(std::move(*sealed_memfd("broker-test", kBytes)));
  const uint64_t id = clients.publish(Export{.fd = file, .bytes = kBytes, .secret = {}, .pids = {}, .owner = {}}, 1);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const UniqueFd client(ends[0]);
  clients.admit(UniqueFd(ends[1]), 1);
  const auto say = [&](const Message& request) {
    broker_socket::send_message(client, request);
    clients.handle(1);
    return clients.leases(id);
  };
  Message fetch{.op = Op::fetch, .id = id, .kind = static_cast<uint32_t>(ObjectKind::memory), .leased = 1};
  say(Message{.op = Op::hello});
  fetch.serial = 7;
  EXPECT_EQ(say(fetch), 1u);
  EXPECT_EQ(say(Message{.op = Op::give_back, .serial = 8, .id = id}), 1u) << "that fetch was refused, or never came";
  fetch.serial = 9;
  EXPECT_EQ(say(fetch), 2u);
  EXPECT_EQ(say(Message{.op = Op::give_back, .id = id}), 1u) << "the oldest";
  EXPECT_EQ(say(Message{.op = Op::give_back, .serial = 7, .id = id}), 1u);
  EXPECT_EQ(say(Message{.op = Op::give_back, .serial = 9, .id = id}), 0u);
}

TEST(BrokerClients, LeasesWithoutEndAreRefused) {
  const std::string address = "test";
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const BrokerClients::Doubt nobody;
  BrokerClients clients(address, epoll, nobody);
  set_log_level(LogLevel::error);
  auto file = std::make_shared<const UniqueFd>(std::move(*sealed_memfd("broker-test", kBytes)));
  const uint64_t id = clients.publish(Export{.fd = file, .bytes = kBytes, .secret = {}, .pids = {}, .owner = {}}, 1);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const UniqueFd client(ends[0]);
  clients.admit(UniqueFd(ends[1]), 1);
  const auto asked = [&](const Message& request) {
    Message reply;
    UniqueFd passed;
    broker_socket::send_message(client, request);
    clients.handle(1);
    EXPECT_EQ(broker_socket::receive_message(client, reply, &passed), broker_socket::Got::message);
    return reply.status;
  };
  ASSERT_EQ(asked(Message{.op = Op::hello}), Status::ok);
  const Message fetch{.op = Op::fetch, .id = id, .kind = static_cast<uint32_t>(ObjectKind::memory), .leased = 1};
  uint32_t given = 0;
  while (asked(fetch) == Status::ok) {
    ++given;
  }
  EXPECT_EQ(given, 65'536u);
  EXPECT_EQ(asked(fetch), Status::too_many_leases);
  broker_socket::send_message(client, Message{.op = Op::give_back, .id = id});
  clients.handle(1);
  EXPECT_EQ(asked(fetch), Status::ok);
  set_log_level(LogLevel::warn);
}

}  // namespace
}  // namespace canopy
