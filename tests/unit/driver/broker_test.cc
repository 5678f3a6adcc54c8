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

// Who imported it could cut it off, and every touch of the exporter would be a SIGBUS.
TEST(Broker, PublishRefusesAFileThatCanShrink) {
  auto broker = start();
  const UniqueFd open_to_cuts(::memfd_create("broker-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(broker->publish(open_to_cuts, 0).error().code, Errc::invalid_argument);
  EXPECT_NE(error_text::newest().find("sealed"), std::string::npos) << error_text::newest();
}

TEST(Broker, FetchNeedsAConnection) {
  auto broker = start();
  EXPECT_EQ(broker->fetch("canopy.nobody", 1).error().code, Errc::closed);
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

// Their end may need a lock that another thread of the parent held when it forked.
TEST(Broker, ChildOfForkDoesNotEndWhatTheParentExports) {
  auto broker = start();
  const auto memory = sealed_memfd("broker-test", kBytes);
  int ended = 0;
  Export object{.fd = std::make_shared<const UniqueFd>(::dup(memory->get())), .bytes = kBytes, .secret = {}, .pids = {}, .owner = {}};
  object.owner = std::shared_ptr<void>(nullptr, [&](void*) { ++ended; });
  ASSERT_TRUE(broker->publish(std::move(object))) << error_text::newest();
  ChildProcess child([&](Line& line) { line.say(std::to_string(ended)); });
  EXPECT_EQ(child.line().hear(), "0");
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(ended, 0);
}

// More than the exporter's queue takes while it does not read.
TEST(Broker, LeasesGivenBackInOneBurstAllEnd) {
  constexpr int kLeases = 2000;
  Exporter exporter([](Line& line, auto& broker, uint64_t id, Mapping&) {
    while (line.hear() == "leases") {
      line.say(std::to_string(broker->leases(id)));
    }
  });
  const auto leases = [&] {
    exporter.process->line().say("leases");
    return exporter.process->line().hear();
  };
  auto broker = start();
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  std::vector<Lease> taken;
  for (int i = 0; i < kLeases; ++i) {
    const auto got = broker->fetch(exporter.address, FetchRequest{.id = exporter.id, .secret = {}, .leased = true});
    ASSERT_TRUE(got) << error_text::newest();
    taken.push_back(got->lease);
  }
  ASSERT_EQ(leases(), std::to_string(kLeases));
  ::kill(exporter.process->pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(exporter.process->pid(), &status, WUNTRACED), exporter.process->pid());
  for (const Lease& lease : taken) {
    broker->give_back(lease);
  }
  ::kill(exporter.process->pid(), SIGCONT);
  EXPECT_TRUE(soon([&] { return leases() == "0"; }, std::chrono::seconds(5))) << leases();
}

// The exporter says yes when nobody waits for it any more.
TEST(Broker, AFetchThatComesTooLateKeepsNoLeaseAndTakesNoOther) {
  Exporter exporter([](Line& line, auto& broker, uint64_t id, Mapping&) {
    while (line.hear() == "leases") {
      line.say(std::to_string(broker->leases(id)));
    }
  });
  const auto leases = [&] {
    exporter.process->line().say("leases");
    return exporter.process->line().hear();
  };
  Broker::Options impatient;
  impatient.patience = std::chrono::milliseconds(50);
  auto patient = start();
  auto started = Broker::start(std::move(impatient));
  ASSERT_TRUE(started) << error_text::newest();
  const std::unique_ptr<Broker> broker = std::move(*started);
  const FetchRequest wanted{.id = exporter.id, .secret = {}, .leased = true};
  ASSERT_TRUE(patient->connect(exporter.address, 1));
  ASSERT_TRUE(broker->connect(exporter.address, 1));
  ASSERT_TRUE(patient->fetch(exporter.address, wanted)) << error_text::newest();
  const auto in_time = broker->fetch(exporter.address, wanted);
  ASSERT_TRUE(in_time) << error_text::newest();
  ::kill(exporter.process->pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(exporter.process->pid(), &status, WUNTRACED), exporter.process->pid());
  EXPECT_EQ(broker->fetch(exporter.address, wanted).error().code, Errc::timeout);
  ::kill(exporter.process->pid(), SIGCONT);
  EXPECT_TRUE(patient->fetch(exporter.address, wanted)) << error_text::newest();
  EXPECT_TRUE(soon([&] { return leases() == "3"; }, std::chrono::seconds(5))) << leases();
  broker->give_back(in_time->lease);
  EXPECT_TRUE(soon([&] { return leases() == "2"; }, std::chrono::seconds(5))) << leases();
}

// Whoever hears of an end late must not cut what has come after it.
TEST(Broker, OnlyTheConnectionOfThatTagIsEnded) {
  Exporter exporter;
  auto broker = start();
  ASSERT_EQ(broker->connect(exporter.address, 1), uint64_t{1});
  EXPECT_EQ(broker->connect(exporter.address, 2), uint64_t{1}) << "the one that there is";
  broker->disconnect(exporter.address, 2);
  EXPECT_TRUE(broker->fetch(exporter.address, exporter.id)) << error_text::newest();
  broker->disconnect(exporter.address, 1);
  EXPECT_FALSE(broker->fetch(exporter.address, exporter.id));
  EXPECT_EQ(broker->connect(exporter.address, 2), uint64_t{2});
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

}  // namespace
}  // namespace canopy
