// BrokerConnection against a broker that lies: whoever imports from it gets an error in time.
#include "runtime/driver/broker_connection.h"

#include "runtime/base/clock.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

namespace canopy {
namespace {

using namespace test;
using broker_protocol::Message;
using broker_protocol::Op;

constexpr auto kPatience = std::chrono::milliseconds(200);

struct Liar {
  std::shared_ptr<BrokerConnection> connection;
  UniqueFd socket;

  Liar() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    connection = BrokerConnection::over("liar", UniqueFd(ends[0]));
    socket.reset(ends[1]);
  }
  Errc fetched() {
    const auto got = connection->fetch(FetchRequest{.id = 1, .secret = {}}, Deadline::after(kPatience));
    return got ? Errc::internal : got.error().code;
  }
};

TEST(BrokerConnection, AFloodOfRepliesThatNobodyAskedForEndsAtTheDeadline) {
  Liar liar;
  std::atomic<bool> over{false};
  std::vector<std::thread> flood;
  for (int i = 0; i < 3; ++i) {  // faster than one reads
    flood.emplace_back([&] {
      while (!over.load(std::memory_order_relaxed)) {
        broker_socket::send_message(liar.socket, Message{.op = Op::fetch_reply, .serial = 999});
      }
    });
  }
  const uint64_t before = monotonic_ns();
  EXPECT_EQ(liar.fetched(), Errc::timeout) << error_text::newest();
  EXPECT_LT(monotonic_ns() - before, 5'000'000'000u);
  over = true;
  for (std::thread& each : flood) {
    each.join();
  }
}

// The same without a race: past the deadline one such reply is enough.
TEST(BrokerConnection, RepliesThatNobodyAskedForAreNotReadPastTheDeadline) {
  Liar liar;
  for (int i = 0; i < 3; ++i) {
    broker_socket::send_message(liar.socket, Message{.op = Op::fetch_reply, .serial = 999});
  }
  EXPECT_EQ(liar.connection->fetch(FetchRequest{.id = 1, .secret = {}}, Deadline::at_ns(0)).error().code, Errc::timeout);
  const UniqueFd ours(::dup(liar.connection->fd()));
  Message left;
  EXPECT_EQ(broker_socket::receive_message(ours, left, nullptr), broker_socket::Got::message);
}

// It reads nothing, and says that it will send nothing: no answer can come.
TEST(BrokerConnection, AFullQueueTowardsAPeerThatSendsNoMoreIsALossAtOnce) {
  Liar liar;
  for (uint64_t id = 0; id < 10'000; ++id) {
    liar.connection->give_back(id, 1);
  }
  ::shutdown(liar.socket.get(), SHUT_WR);
  const uint64_t before = monotonic_ns();
  EXPECT_EQ(liar.connection->fetch(FetchRequest{.id = 1, .secret = {}}, Deadline::after(std::chrono::seconds(20))).error().code,
            Errc::peer_lost);
  EXPECT_LT(monotonic_ns() - before, 5'000'000'000u);
  EXPECT_FALSE(liar.connection->drain());
}

// Not the oldest lease of that memory: another fetch may have that one, and give it back by name.
TEST(BrokerConnection, WhatIsGivenBackIsTheLeaseOfItsFetch) {
  Liar liar;
  const auto memory = sealed_memfd("broker-test", kBytes);
  for (const uint64_t serial : {1, 2}) {
    const Message reply{.op = Op::fetch_reply, .serial = serial, .bytes = kBytes};
    ASSERT_EQ(broker_socket::send_message(liar.socket, reply, memory->get()), broker_socket::Sent::done);
  }
  const FetchRequest wanted{.id = 1, .secret = {}, .leased = true};
  const auto first = liar.connection->fetch(wanted, Deadline::after(kPatience));
  const auto second = liar.connection->fetch(wanted, Deadline::after(kPatience));
  ASSERT_TRUE(first && second) << error_text::newest();
  auto broker = start();
  broker->give_back(second->lease);
  Message told;
  while (broker_socket::receive_message(liar.socket, told, nullptr) == broker_socket::Got::message && told.op != Op::give_back) {
  }
  EXPECT_EQ(told.op, Op::give_back);
  EXPECT_EQ(told.id, 1u);
  EXPECT_EQ(told.serial, 2u);
}

TEST(BrokerConnection, AFileThatItsOwnerCanCutOffIsRefused) {
  Liar liar;
  const UniqueFd open_to_cuts(::memfd_create("broker-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open_to_cuts.get(), kBytes), 0);
  const Message reply{.op = Op::fetch_reply, .serial = 1, .bytes = kBytes};
  ASSERT_EQ(broker_socket::send_message(liar.socket, reply, open_to_cuts.get()), broker_socket::Sent::done);
  EXPECT_EQ(liar.fetched(), Errc::io);
  EXPECT_NE(error_text::newest().find("cut it off"), std::string::npos) << error_text::newest();
}

TEST(BrokerConnection, MoreBytesThanTheFileHasAreRefused) {
  Liar liar;
  const auto memory = sealed_memfd("broker-test", kBytes);
  const Message reply{.op = Op::fetch_reply, .serial = 1, .bytes = kBytes, .offset = 4096};
  ASSERT_EQ(broker_socket::send_message(liar.socket, reply, memory->get()), broker_socket::Sent::done);
  EXPECT_EQ(liar.fetched(), Errc::io);
}

}  // namespace
}  // namespace canopy
