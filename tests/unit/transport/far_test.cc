// Doors, and the introduction of peers.
#include "runtime/base/check.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "tests/unit/transport/fake_fabric/fake_fabric.h"
#include "transport/base/blocking.h"
#include "transport/far/far_transport.h"
#include "transport/ofi/ofi_transport.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy::transport::far {
namespace {

using namespace std::chrono_literals;

std::vector<HostAddress> loopback() { return addresses_of_this_host("127.0.0.1").value(); }

Result<std::string> any_provider(const HostAddress&) { return std::string("p"); }

Result<std::unique_ptr<Door>> open_door(
    std::function<Welcome(const Knock&, const HostAddress&)> welcome) {
  DoorKeeper keeper;
  keeper.welcome = std::move(welcome);
  return Door::open(loopback(), std::move(keeper));
}

TEST(HostAddress, InterfacesAreFoundByNameAndByAddress) {
  ASSERT_EQ(loopback().size(), 1u);
  EXPECT_EQ(loopback()[0].text(), "127.0.0.1");
  EXPECT_FALSE(addresses_of_this_host("lo").value().empty());
  EXPECT_EQ(addresses_of_this_host("nowhere7").error().code, Errc::not_found);
  EXPECT_NE(error_text::newest().find("lo=127.0.0.1"), std::string::npos);
}

TEST(DoorAddress, SurvivesPackingAndNothingElseIsOne) {
  DoorAddress door;
  door.token = 0x1122334455667788;
  door.port = 4711;
  door.hosts = loopback();
  HostAddress v6{.family = AF_INET6, .bytes = {}};
  v6.bytes[15] = 1;
  door.hosts.push_back(v6);
  const std::string packed = door.pack();
  EXPECT_LE(packed.size(), 32u) << "it is in every card";
  const auto back = DoorAddress::unpack(packed);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->token, door.token);
  EXPECT_EQ(back->port, door.port);
  EXPECT_EQ(back->hosts, door.hosts);
  for (size_t nbytes : {0u, 5u, 9u, 12u, 20u}) {
    EXPECT_EQ(DoorAddress::unpack(packed.substr(0, nbytes)).error().code, Errc::parse) << nbytes;
  }
}

TEST(Welcome, SurvivesPackingAndIsCheckedAtEveryLength) {
  Welcome welcome;
  welcome.token = 1;
  welcome.address = "address";
  welcome.regions = {{.id = 3, .bytes = 99, .mapped_at = nullptr, .key = "key"}};
  const std::string packed = welcome.pack();
  const auto back = Welcome::unpack(packed);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->address, "address");
  ASSERT_EQ(back->regions.size(), 1u);
  EXPECT_EQ(back->regions[0].bytes, 99u);
  EXPECT_EQ(back->regions[0].key, "key");
  for (size_t nbytes = 0; nbytes < packed.size(); ++nbytes) {
    const auto part = Welcome::unpack(packed.substr(0, nbytes));
    EXPECT_TRUE(!part || part->regions.empty()) << nbytes;
  }
}

TEST(Door, WhoKnowsTheTokenIsWelcomed) {
  auto door = open_door([](const Knock& knock, const HostAddress& at) {
    EXPECT_EQ(knock.provider, "p");
    EXPECT_EQ(at.text(), "127.0.0.1");
    return Welcome{.token = 0, .refusal = "", .address = "inside", .regions = {}};
  });
  ASSERT_TRUE(door);
  const auto made = introduce((*door)->address(), nullptr, any_provider);
  ASSERT_TRUE(made) << error_text::newest();
  EXPECT_EQ(made->welcome.address, "inside");
  EXPECT_EQ(made->here.text(), "127.0.0.1");
}

TEST(Door, WhoDoesNotKnowTheTokenGetsNoWord) {
  std::atomic<int> answers = 0;
  auto door = open_door([&](const Knock&, const HostAddress&) {
    ++answers;
    return Welcome{};
  });
  DoorAddress wrong = (*door)->address();
  ++wrong.token;
  EXPECT_EQ(introduce(wrong, nullptr, any_provider).error().code, Errc::peer_lost);
  EXPECT_EQ(answers, 0);
}

TEST(Door, TheNextAddressIsTriedWhenOneIsDead) {
  auto door = open_door([](const Knock&, const HostAddress&) { return Welcome{}; });
  DoorAddress address = (*door)->address();
  HostAddress dead{.family = AF_INET, .bytes = {127, 0, 0, 9}};
  address.hosts.insert(address.hosts.begin(), dead);
  EXPECT_TRUE(introduce(address, nullptr, any_provider)) << error_text::newest();
}

TEST(Door, OneThatIsGoneIsALostPeer) {
  DoorAddress address;
  {
    auto door = open_door([](const Knock&, const HostAddress&) { return Welcome{}; });
    address = (*door)->address();
  }
  EXPECT_EQ(introduce(address, nullptr, any_provider).error().code, Errc::peer_lost);
  EXPECT_NE(error_text::newest().find("127.0.0.1"), std::string::npos);
}

TEST(Door, ARefusalComesWithItsReason) {
  auto door = open_door([](const Knock&, const HostAddress&) {
    return Welcome{.token = 0, .refusal = "no cable", .address = "", .regions = {}};
  });
  EXPECT_EQ(introduce((*door)->address(), nullptr, any_provider).error().code, Errc::not_supported);
  EXPECT_NE(error_text::newest().find("no cable"), std::string::npos);
}

// ---- The transport in front of the network, over the double of libfabric.

class Far : public testing::Test {
 protected:
  static constexpr auto wait = [](FunctionRef<bool()> ready) {
    const auto end = wait_until(ready, nullptr, BellScope::process, Deadline::after(30s),
                                [] { return std::string("a test of transport/far waits"); });
    CHECK(end == WaitEnd::ready, "an operation must complete or fail within 30 s");
  };

  Far() {
    fake_fabric::reset({});
    for (auto& word : words_) {
      word = 0;
    }
  }

  std::unique_ptr<FarTransport> open() {
    FarOptions options;
    options.interface = "127.0.0.1";
    options.host_timeout = 200ms;
    options.open_network = [this](const NetworkWish& wish) -> Result<Network> {
      ++opened_;
      if (fails_) {
        return fail(Errc::not_supported, "there is no network");
      }
      CANOPY_ASSIGN(auto made, ofi::OfiTransport::open({wish.provider, wish.interface}));
      std::string provider(made->provider());
      return Network{std::move(made), std::move(provider)};
    };
    return FarTransport::open(options).value();
  }
  static Result<> connect(FarTransport& from, FarTransport& to, std::vector<RegionId> ids) {
    std::vector<PeerRegion> regions;
    for (const RegionId id : ids) {
      regions.push_back({.id = id, .bytes = sizeof words_, .mapped_at = nullptr, .key = {}});
    }
    return from.connect(1, to.address().value(), regions);
  }
  std::span<std::byte> memory() { return std::as_writable_bytes(std::span(words_)); }

  alignas(64) uint64_t words_[16];
  std::atomic<int> opened_ = 0;
  std::atomic<bool> fails_ = false;
};

TEST_F(Far, NothingIsOpenedBeforeTheFirstOperation) {
  auto near = open();
  auto far = open();
  ASSERT_TRUE(far->register_region(0, memory()));
  ASSERT_TRUE(connect(*near, *far, {0}));
  near->fence();
  ASSERT_TRUE(transport::quiet(*near, kAllPeers, wait));
  ASSERT_TRUE(transport::quiet(*near, 1, wait));
  EXPECT_EQ(near->progress(), 0);
  EXPECT_EQ(opened_, 0);
  const uint64_t value = 5;
  ASSERT_TRUE(transport::put(*near, {1, 0, 8}, &value, 8, wait));
  ASSERT_TRUE(transport::quiet(*near, 1, wait));
  EXPECT_EQ(words_[1], 5u);
  EXPECT_EQ(opened_, 2);
  EXPECT_NE(near->why(1).find("127.0.0.1"), std::string::npos) << near->why(1);
}

TEST_F(Far, RegionsMayBeAddedLater) {
  auto near = open();
  auto far = open();
  ASSERT_TRUE(far->register_region(0, memory()));
  ASSERT_TRUE(connect(*near, *far, {0}));
  const uint64_t value = 6;
  ASSERT_TRUE(transport::put(*near, {1, 0, 0}, &value, 8, wait));
  ASSERT_TRUE(transport::quiet(*near, 1, wait));
  uint64_t more[16] = {};
  ASSERT_TRUE(far->register_region(4, std::as_writable_bytes(std::span(more))));
  EXPECT_FALSE(transport::put(*near, {1, 4, 0}, &value, 8, wait));
  ASSERT_TRUE(connect(*near, *far, {4}));
  ASSERT_TRUE(transport::put(*near, {1, 4, 8}, &value, 8, wait)) << error_text::newest();
  ASSERT_TRUE(transport::put(*near, {1, 0, 16}, &value, 8, wait));
  ASSERT_TRUE(transport::quiet(*near, 1, wait));
  EXPECT_EQ(more[1], 6u);
  EXPECT_EQ(words_[2], 6u);
}

TEST_F(Far, APeerWithoutTheRegionIsLostWithASentence) {
  auto near = open();
  auto far = open();
  ASSERT_TRUE(far->register_region(0, memory()));
  ASSERT_TRUE(connect(*near, *far, {9}));
  const uint64_t value = 6;
  EXPECT_EQ(transport::put(*near, {1, 9, 0}, &value, 8, wait).error().code, Errc::peer_lost);
  EXPECT_NE(error_text::newest().find("no region 9"), std::string::npos) << error_text::newest();
}

TEST_F(Far, APeerThatIsGoneIsLostAndTold) {
  auto near = open();
  std::string told;
  std::atomic<bool> was_told{false};
  near->on_error([&](int peer, Errc code, std::string_view sentence) {
    told = fmt::format("{} {} {}", peer, to_string(code), sentence);
    was_told.store(true, std::memory_order_release);
  });
  {
    auto far = open();
    ASSERT_TRUE(connect(*near, *far, {0}));
  }
  const uint64_t value = 6;
  const auto put = transport::put(*near, {1, 0, 0}, &value, 8, wait);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::peer_lost);
  // By another thread, and perhaps after the put has failed. Acquire: pairs with the release above.
  wait([&] { return was_told.load(std::memory_order_acquire); });
  EXPECT_EQ(told.substr(0, 11), "1 peer lost") << told;
  EXPECT_EQ(near->post_quiet(1, nullptr).error().code, Errc::peer_lost);
}

TEST_F(Far, ANetworkThatCannotBeOpenedIsToldInItsOwnWords) {
  auto near = open();
  auto far = open();
  fails_ = true;
  ASSERT_TRUE(far->register_region(0, memory()));
  ASSERT_TRUE(connect(*near, *far, {0}));
  const uint64_t value = 6;
  EXPECT_FALSE(transport::put(*near, {1, 0, 0}, &value, 8, wait));
  EXPECT_NE(error_text::newest().find("there is no network"), std::string::npos);
}

TEST_F(Far, APeerIsReachedThroughItselfToo) {
  auto self = open();
  ASSERT_TRUE(self->register_region(0, memory()));
  ASSERT_TRUE(connect(*self, *self, {0}));
  EXPECT_EQ(transport::amo(*self, {1, 0, 0}, {AmoOp::add, 8, 3, 0}, wait).value(), 0u);
  EXPECT_EQ(words_[0], 3u);
}

TEST_F(Far, DisconnectFailsWhoeverWaitsForTheIntroduction) {
  auto near = open();
  auto far = open();
  ASSERT_TRUE(connect(*near, *far, {0}));
  near->disconnect(1, "its host went silent");
  const uint64_t value = 6;
  EXPECT_EQ(transport::put(*near, {1, 0, 0}, &value, 8, wait).error().code, Errc::peer_lost);
  EXPECT_EQ(near->trouble(1), "its host went silent");
}

// What one side was asked, by line.
struct Asked {
  std::mutex mutex;
  std::vector<uint64_t> lines;
  std::vector<uint64_t> ended;

  FarTransport::Questions questions() {
    return {.reply =
                [this](uint64_t line, std::string_view question) {
                  std::lock_guard lock(mutex);
                  lines.push_back(line);
                  return fmt::format("{}?", question);
                },
            .line_ended =
                [this](uint64_t line) {
                  std::lock_guard lock(mutex);
                  ended.push_back(line);
                }};
  }
  size_t count_ended() {
    std::lock_guard lock(mutex);
    return ended.size();
  }
};

TEST_F(Far, QuestionsAreAnsweredOnOneLineBesideTheTraffic) {
  Asked asked;
  auto far = open();
  far->on_question(asked.questions());
  {
    auto near = open();
    ASSERT_TRUE(connect(*near, *far, {0}));
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(near->ask(1, fmt::format("{}", i)).value(), fmt::format("{}?", i));
    }
    const std::string long_one(100'000, 'x');
    EXPECT_EQ(near->ask(1, long_one).value(), long_one + "?");
    EXPECT_EQ(asked.lines, std::vector<uint64_t>(101, asked.lines[0]));
    EXPECT_EQ(asked.count_ended(), 0u);
    EXPECT_EQ(near->ask(2, "who?").error().code, Errc::not_found);
  }
  wait([&] { return asked.count_ended() == 1; });
  EXPECT_EQ(asked.ended[0], asked.lines[0]);
}

TEST_F(Far, ManyAskAtOnceAndEachHasALine) {
  Asked asked;
  auto far = open();
  far->on_question(asked.questions());
  std::vector<std::unique_ptr<FarTransport>> askers;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    askers.push_back(open());
    ASSERT_TRUE(connect(*askers.back(), *far, {0}));
    for (int twice = 0; twice < 2; ++twice) {
      threads.emplace_back([near = askers.back().get(), i] {
        for (int n = 0; n < 50; ++n) {
          const std::string question = fmt::format("{} {}", i, n);
          EXPECT_EQ(near->ask(1, question).value(), question + "?");
        }
      });
    }
  }
  threads.clear();
  askers.clear();
  wait([&] { return asked.count_ended() == 4; });
}

TEST_F(Far, WhoIsGoneAnswersNoQuestions) {
  auto near = open();
  auto far = open();
  ASSERT_TRUE(connect(*near, *far, {0}));
  EXPECT_EQ(near->ask(1, "nobody listens").value(), "");
  far.reset();
  EXPECT_EQ(near->ask(1, "are you there").error().code, Errc::peer_lost);
  EXPECT_NE(error_text::newest().find("peer 1"), std::string::npos) << error_text::newest();
  EXPECT_EQ(near->ask(1, "are you there").error().code, Errc::peer_lost);
}

}  // namespace
}  // namespace canopy::transport::far
