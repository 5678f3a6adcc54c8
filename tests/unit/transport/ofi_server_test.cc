// What the target does with messages, good and bad ones. A bad one never touches memory.
#include "runtime/base/log.h"
#include "tests/unit/transport/fake_fabric/fake_fabric.h"
#include "transport/ofi/server.h"

#include <gtest/gtest.h>

#include <cstring>

namespace canopy::transport::ofi {
namespace {

constexpr ContextId kSender = 77;
constexpr ContextId kServer = 99;
constexpr RegionId kRegion = 2;

class OfiServer : public testing::Test {
 protected:
  OfiServer() {
    set_log_level(LogLevel::off);  // bad messages are told there
    fake_fabric::reset({});
    domain_ = Domain::open(choose_provider({}).value()).value();
    EXPECT_TRUE(registry_.add_region(kRegion, {std::as_writable_bytes(std::span(words_)), {}}));
    server_.emplace(*domain_, registry_, kServer);
    Hello hello{};
    hello.kind = MessageKind::hello;
    hello.address_bytes = 8;
    hello.sender = kSender;
    hello_answer_ = execute(&hello, offsetof(Hello, address) + 8).has_value();
  }
  ~OfiServer() override { set_log_level(LogLevel::warn); }

  std::optional<Server::Answer> execute(const void* message, size_t nbytes) {
    return server_->execute({static_cast<const std::byte*>(message), nbytes});
  }
  static Request request(MessageKind kind, uint64_t token = 5) {
    Request made{};
    made.kind = kind;
    made.width = 8;
    made.region = kRegion;
    made.sender = kSender;
    made.token = token;
    return made;
  }
  // The code of the reply.
  Errc run(const Request& message) {
    const auto answer = execute(&message, sizeof message);
    EXPECT_TRUE(answer);
    EXPECT_EQ(answer->reply.sender, kSender);
    EXPECT_EQ(answer->reply.target, kServer);
    EXPECT_EQ(answer->reply.token, message.token);
    return static_cast<Errc>(answer->reply.code);
  }

  alignas(64) uint64_t words_[8] = {};
  std::unique_ptr<Domain> domain_;
  Registry registry_;
  std::optional<Server> server_;
  bool hello_answer_ = true;
};

TEST_F(OfiServer, GreetingsAreNotAnswered) { EXPECT_FALSE(hello_answer_); }

TEST_F(OfiServer, AnAmoIsAppliedAndAnsweredWithTheOldValue) {
  words_[1] = 40;
  Request add = request(MessageKind::amo);
  add.op = static_cast<uint8_t>(AmoOp::add);
  add.offset = 8;
  add.value = 2;
  const auto answer = execute(&add, sizeof add);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reply.value, 40u);
  EXPECT_EQ(words_[1], 42u);
}

TEST_F(OfiServer, WhatWantsNoReplyGetsNoneWhenItSucceeds) {
  Request set = request(MessageKind::signal, 0);
  set.value = 3;
  EXPECT_FALSE(execute(&set, sizeof set));
  EXPECT_EQ(words_[0], 3u);
}

TEST_F(OfiServer, WhatWantsNoReplyGetsOneWhenItFails) {
  Request set = request(MessageKind::signal, 0);
  set.offset = 4096;
  EXPECT_EQ(run(set), Errc::out_of_range);
}

TEST_F(OfiServer, AFlushIsAnswered) { EXPECT_EQ(run(request(MessageKind::flush)), Errc::ok); }

TEST_F(OfiServer, BadMessagesAreRefusedAndTouchNothing) {
  Request bad = request(MessageKind::amo);
  bad.op = static_cast<uint8_t>(AmoOp::add);
  bad.value = 1;
  bad.offset = sizeof words_;
  EXPECT_EQ(run(bad), Errc::out_of_range);
  bad.offset = sizeof words_ - 4;
  EXPECT_EQ(run(bad), Errc::out_of_range);
  bad.offset = ~uint64_t{0} - 3;
  EXPECT_EQ(run(bad), Errc::out_of_range);
  bad.offset = 3;
  EXPECT_EQ(run(bad), Errc::misaligned);
  bad.offset = 0;
  bad.region = kRegion + 1;
  EXPECT_EQ(run(bad), Errc::not_found);
  bad.region = kRegion;
  bad.width = 2;
  EXPECT_EQ(run(bad), Errc::invalid_argument);
  bad.width = 8;
  bad.op = static_cast<uint8_t>(kLastAmoOp) + 1;
  EXPECT_EQ(run(bad), Errc::invalid_argument);
  bad.kind = MessageKind::signal;
  bad.op = 9;
  EXPECT_EQ(run(bad), Errc::invalid_argument);
  for (const uint64_t word : words_) {
    EXPECT_EQ(word, 0u);
  }
}

TEST_F(OfiServer, MessagesOfStrangersAndOfOddSizesAreDropped) {
  Request stranger = request(MessageKind::signal);
  stranger.sender = kSender + 1;
  stranger.value = 1;
  EXPECT_FALSE(execute(&stranger, sizeof stranger));
  const Request whole = request(MessageKind::signal);
  for (size_t nbytes = 0; nbytes < sizeof whole; ++nbytes) {
    EXPECT_FALSE(execute(&whole, nbytes)) << nbytes;
  }
  Hello hello{};
  hello.kind = MessageKind::hello;
  hello.address_bytes = 100;  // more than travels
  hello.sender = kSender + 1;
  EXPECT_FALSE(execute(&hello, offsetof(Hello, address) + 8));
  EXPECT_FALSE(execute(&stranger, sizeof stranger)) << "it is still a stranger";
  EXPECT_EQ(words_[0], 0u);
}

}  // namespace
}  // namespace canopy::transport::ofi
