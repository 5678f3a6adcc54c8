// Who greets a broker in the name of another process.
#include "runtime/driver/slot_claim.h"

#include "runtime/driver/host_table.h"
#include "runtime/driver/sharing.h"
#include "tests/multi/sharing/site.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sched.h>

#include <cstdio>
#include <functional>
#include <string>

namespace canopy {
namespace {

using namespace test;

// "SLOT AGE", and back.
struct Claim {
  uint32_t slot = 0;
  uint32_t age = 0;

  static Claim of(const HostTable& table) { return {table.slot(), table.age()}; }
  static Claim from(const std::string& text) {
    Claim claim;
    EXPECT_EQ(std::sscanf(text.c_str(), "%u %u", &claim.slot, &claim.age), 2) << text;
    return claim;
  }
  std::string text() const { return fmt::format("{} {}", slot, age); }
  uint64_t identity() const { return uint64_t{age} << 16 | slot; }
};

// A process that shares something, says who it is, and stays until it is told to go.
void share_and_stay(Line& line) {
  Site site;
  auto object = stamped_memory(*site.table, 7);
  const auto id = object ? site.sharing->share(std::move(*object)) : Result<uint64_t>(tl::unexpected(object.error()));
  line.say(id ? Claim::of(*site.table).text() : error_text::newest());
  line.hear();
}

// What becomes of a greeting of the broker of `server` in the name of `claim`: "welcome", or the error's sentence.
std::string greet(const HostTable& table, const Claim& server, const Claim& claim) {
  Broker::Options options;
  options.identity = claim.identity();
  auto broker = Broker::start(std::move(options));
  const auto address = table.broker_of(server.slot);
  if (!broker || !address) {
    return "no broker";
  }
  const auto connected = (*broker)->connect(address->address(), 1);
  return connected ? "welcome" : connected.error().code == Errc::no_permission ? error_text::take_newest() : "another error";
}

// In a pid namespace of its own, as process 1; "no namespace" on the line where there is none to be had.
void in_own_pid_namespace(Line& line, const std::function<void(Line&)>& body) {
  if (::unshare(CLONE_NEWPID) != 0) {
    line.say("no namespace");
    return;
  }
  const pid_t inner = ::fork();
  if (inner == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body(line);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(inner, &status, 0);
}

class SlotClaim : public testing::Test {
 protected:
  static bool refused(const std::string& said) { return said.find("does not believe") != std::string::npos; }
  const PrivateTable path_;
};

TEST_F(SlotClaim, OnlyTheHoldersOwnIsBelieved) {
  ChildProcess server(share_and_stay);
  ChildProcess bystander(share_and_stay);
  const Claim of_server = Claim::from(server.line().hear());
  const Claim of_bystander = Claim::from(bystander.line().hear());
  auto table = HostTable::open();
  ASSERT_TRUE(table) << error_text::newest();
  const Claim mine = Claim::of(**table);
  const auto said = [&](const Claim& claim) { return greet(**table, of_server, claim); };
  EXPECT_EQ(said(mine), "welcome");
  EXPECT_TRUE(refused(said(of_bystander)));
  EXPECT_TRUE(refused(said(of_server)));
  EXPECT_TRUE(refused(said({mine.slot, mine.age + 1}))) << "of another time";
  EXPECT_TRUE(refused(said({300, 1}))) << "held by nobody";
  EXPECT_TRUE(refused(said({0xFFFF, 1}))) << "none of the table's";
  EXPECT_EQ(said(mine), "welcome") << "lies do no harm to who tells the truth";
}

// A lie would have had the records of the bystander lost.
TEST_F(SlotClaim, NoLeaseIsToldInTheNameOfAnother) {
  ChildProcess bystander(share_and_stay);
  const Claim of_bystander = Claim::from(bystander.line().hear());
  std::atomic<int> told{0};
  ChildProcess liar([&](Line& line) {
    uint64_t id = 0;
    Claim server;
    std::sscanf(line.hear().c_str(), "%lu %u %u", &id, &server.slot, &server.age);
    auto table = HostTable::open();
    Broker::Options options;
    options.identity = of_bystander.identity();
    auto broker = Broker::start(std::move(options));
    const std::string address = (**table).broker_of(server.slot)->address();
    (void)(*broker)->connect(address, 1);
    const auto got = (*broker)->fetch(address, FetchRequest{id, ObjectKind::memory, {}, true});
    line.say(got ? "fetched" : "nothing");
    line.hear();
  });
  Site site;
  auto object = stamped_memory(*site.table, 7);
  ASSERT_TRUE(object) << error_text::newest();
  const auto id = site.sharing->share(std::move(*object), [&](const Sharing::Importer&) { ++told; });
  ASSERT_TRUE(id) << error_text::newest();
  liar.line().say(fmt::format("{} {}", *id, Claim::of(*site.table).text()));
  EXPECT_EQ(liar.line().hear(), "nothing");
  liar.kill();
  EXPECT_EQ(site.sharing->importers(*id), 0u);
  EXPECT_EQ(told.load(), 0);
}

// ---- Pid namespaces.

TEST_F(SlotClaim, AProcessInANamespaceBelowOursIsProvedByThat) {
  ChildProcess server(share_and_stay);
  const Claim of_server = Claim::from(server.line().hear());
  ChildProcess inner([&](Line& line) {
    in_own_pid_namespace(line, [&](Line& out) {
      auto table = HostTable::open();
      out.say(greet(**table, of_server, Claim::of(**table)));
      out.say(greet(**table, of_server, of_server));
    });
  });
  const std::string honest = inner.line().hear();
  if (honest == "no namespace") {
    GTEST_SKIP() << "only root can make pid namespaces";
  }
  EXPECT_EQ(honest, "welcome");
  EXPECT_TRUE(refused(inner.line().hear()));
}

TEST_F(SlotClaim, AProcessThatTheServerCannotSeeMayHaveASlotOfAnotherNamespaceOnly) {
  ChildProcess server([](Line& line) { in_own_pid_namespace(line, share_and_stay); });
  const std::string first = server.line().hear();
  if (first == "no namespace") {
    GTEST_SKIP() << "only root can make pid namespaces";
  }
  const Claim of_server = Claim::from(first);
  auto table = HostTable::open();
  ASSERT_TRUE(table) << error_text::newest();
  EXPECT_EQ(greet(**table, of_server, Claim::of(**table)), "welcome");
  EXPECT_TRUE(refused(greet(**table, of_server, of_server))) << "that one the server would see";
}

TEST_F(SlotClaim, EqualNumbersInTwoNamespacesAreTwoProcesses) {
  ChildProcess server(share_and_stay);
  const Claim of_server = Claim::from(server.line().hear());
  ChildProcess bystander([](Line& line) { in_own_pid_namespace(line, share_and_stay); });  // process 1 there
  const std::string first = bystander.line().hear();
  if (first == "no namespace") {
    GTEST_SKIP() << "only root can make pid namespaces";
  }
  const Claim of_bystander = Claim::from(first);
  ChildProcess liar([&](Line& line) {
    in_own_pid_namespace(line, [&](Line& out) {  // process 1, too
      auto table = HostTable::open();
      out.say(greet(**table, of_server, of_bystander));
    });
  });
  EXPECT_TRUE(refused(liar.line().hear()));
}

}  // namespace
}  // namespace canopy
