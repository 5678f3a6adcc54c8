// The part of the contract suite about regions that come and go while others post.
#include "tests/unit/transport/contract_suite.h"

#include "runtime/base/cache_line.h"

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::transport {
namespace {

constexpr RegionId kOther = 11;
constexpr size_t kOfferBytes = 1u << 20;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 40;
#else
constexpr int kRounds = 200;
#endif

bool names_peer_and_region(const std::string& sentence, RegionId region) {
  return sentence.find(std::to_string(kPeer)) != std::string::npos &&
         sentence.find(fmt::format("region {}", region)) != std::string::npos;
}

}  // namespace

TEST_P(TransportContract, RegionsComeAndGo) {
  meet();
  for (int round = 0; round < kRounds; ++round) {
    Offer offered = offer(kOther, kOfferBytes);
    ASSERT_TRUE(open(offered)) << error_text::newest();
    const uint64_t value = 1000 + static_cast<uint64_t>(round);
    const Target to{kPeer, kOther, kOfferBytes - 8};
    ASSERT_TRUE(put(to, &value, sizeof value)) << error_text::newest();
    ASSERT_TRUE(signal({kPeer, kOther, 64}, {SignalOp::set, value})) << error_text::newest();
    ASSERT_TRUE(quiet()) << error_text::newest();
    EXPECT_EQ(load_acquire(offered.word(64)), value);
    uint64_t back = 0;
    ASSERT_TRUE(get(&back, to, sizeof back)) << error_text::newest();
    EXPECT_EQ(back, value);
    EXPECT_EQ(amo({kPeer, kOther, 64}, {AmoOp::add, 8, 1, 0}).value(), value);
    ASSERT_TRUE(close(offered)) << error_text::newest();
    ASSERT_TRUE(owner().withdraw_region(kOther)) << error_text::newest();
  }
}

TEST_P(TransportContract, AClosedRegionRefusesEverythingWithASentence) {
  meet();
  Offer offered = offer(kOther, kOfferBytes);
  uint64_t value = 1;
  const Target to{kPeer, kOther, 0};
  const auto refuses = [&] {
    EXPECT_EQ(put(to, &value, 8).error().code, Errc::not_found);
    EXPECT_TRUE(names_peer_and_region(error_text::newest(), kOther)) << error_text::newest();
    EXPECT_EQ(get(&value, to, 8).error().code, Errc::not_found);
    EXPECT_EQ(amo(to, {}).error().code, Errc::not_found);
    EXPECT_EQ(signal(to, {SignalOp::set, 1}).error().code, Errc::not_found);
  };
  refuses();
  ASSERT_TRUE(open(offered)) << error_text::newest();
  ASSERT_TRUE(put(to, &value, 8)) << error_text::newest();
  EXPECT_EQ(put({kPeer, kOther, kOfferBytes}, &value, 8).error().code, Errc::out_of_range);
  ASSERT_TRUE(close(offered)) << error_text::newest();
  refuses();
  ASSERT_TRUE(owner().withdraw_region(kOther)) << error_text::newest();
  meet();  // and the peer is none the worse for it
}

TEST_P(TransportContract, RegionsThatAreWronglyNamedAreErrors) {
  meet();
  Offer offered = offer(kOther, kOfferBytes);
  EXPECT_FALSE(owner().offer_region(kOther, {offered.memory.base(), kOfferBytes}));
  EXPECT_FALSE(owner().offer_region(kMostRegions, {offered.memory.base(), kOfferBytes}));
  EXPECT_EQ(owner().withdraw_region(kOther + 1).error().code, Errc::not_found);
  PeerRegion far_off = offered.region;
  far_off.id = kMostRegions;
  EXPECT_FALSE(transport::open_region(near(), kPeer, far_off, wait));
  EXPECT_EQ(transport::open_region(near(), kPeer + 1, offered.region, wait).error().code,
            Errc::not_found);
  EXPECT_EQ(close(offered).error().code, Errc::not_found);
  ASSERT_TRUE(open(offered)) << error_text::newest();
  EXPECT_EQ(open(offered).error().code, Errc::invalid_argument);
  ASSERT_TRUE(close(offered)) << error_text::newest();
  EXPECT_EQ(close(offered).error().code, Errc::not_found);
  ASSERT_TRUE(owner().withdraw_region(kOther)) << error_text::newest();
  EXPECT_EQ(owner().withdraw_region(kOther).error().code, Errc::not_found);
}

// By all contexts, with tickets and without: the memory may go as soon as the close is settled.
TEST_P(TransportContract, ClosingARegionWaitsForWhatIsUnderWay) {
  meet();
  auto context = near().open_context().value();
  std::vector<std::byte> source(kOfferBytes / 2, std::byte{0x5A});
  for (int round = 0; round < kRounds / 10; ++round) {
    Offer offered = offer(kOther, kOfferBytes);
    ASSERT_TRUE(open(offered)) << error_text::newest();
    const auto post = [&](Context& by, uint64_t from, size_t nbytes) {
      return post_patiently(by, wait, [&] {
        return by.post_put({kPeer, kOther, from}, source.data(), nbytes, nullptr);
      });
    };
    for (uint64_t i = 0; i < 16; ++i) {
      ASSERT_TRUE(post(near(), i * 8, 8)) << error_text::newest();
      ASSERT_TRUE(post(*context, 4096 + i * 100, 100)) << error_text::newest();
    }
    ASSERT_TRUE(post(*context, kOfferBytes / 2, kOfferBytes / 2)) << error_text::newest();
    ASSERT_TRUE(close(offered)) << error_text::newest();
    EXPECT_EQ(offered.memory.base()[15 * 8], std::byte{0x5A});
    EXPECT_EQ(offered.memory.base()[4096 + 1599], std::byte{0x5A});
    EXPECT_EQ(offered.memory.base()[kOfferBytes - 1], std::byte{0x5A});
    ASSERT_TRUE(owner().withdraw_region(kOther)) << error_text::newest();
  }
  // What they had posted is over for the contexts, too.
  ASSERT_TRUE(transport::quiet(*context, kPeer, wait)) << error_text::newest();
  ASSERT_TRUE(quiet()) << error_text::newest();
}

// Two threads post to the region that stays, one to the one that comes and goes, whenever it is
// there.
TEST_P(TransportContract, RegionsComeAndGoWhileOthersPost) {
  meet();
  std::atomic<bool> over{false};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> arrived{0};
  const auto stays = [&](uint64_t offset) {
    auto context = near().open_context().value();
    for (uint64_t n = 1; !over.load(std::memory_order_relaxed); ++n) {
      ASSERT_TRUE(transport::put(*context, at(offset), &n, sizeof n, wait)) << error_text::newest();
      ASSERT_TRUE(transport::quiet(*context, kPeer, wait)) << error_text::newest();
      uint64_t back = 0;
      ASSERT_TRUE(transport::get(*context, &back, at(offset), sizeof back, wait));
      ASSERT_EQ(back, n);
    }
  };
  const auto comes_and_goes = [&] {
    auto context = near().open_context().value();
    const uint64_t value = 77;
    while (!over.load(std::memory_order_relaxed)) {
      const auto sent = transport::put(*context, {kPeer, kOther, 128}, &value, sizeof value, wait);
      ASSERT_TRUE(sent || sent.error().code == Errc::not_found) << error_text::newest();
      // Relaxed: counters.
      (sent ? arrived : refused).fetch_add(1, std::memory_order_relaxed);
    }
  };
  const auto one_more = [&](const std::atomic<uint64_t>& counter) {
    const uint64_t before = counter.load(std::memory_order_relaxed);
    wait([&] { return counter.load(std::memory_order_relaxed) != before; });
  };
  std::vector<std::jthread> threads;
  threads.emplace_back(stays, 1024);
  threads.emplace_back(stays, 2048);
  threads.emplace_back(comes_and_goes);
  for (int round = 0; round < kRounds / 2; ++round) {
    Offer offered = offer(kOther, kOfferBytes);
    ASSERT_TRUE(open(offered)) << error_text::newest();
    one_more(arrived);
    ASSERT_TRUE(close(offered)) << error_text::newest();
    one_more(refused);
    ASSERT_TRUE(owner().withdraw_region(kOther)) << error_text::newest();
    offered.memory = {};  // who were to write there now would fault
    offered.seen = {};
  }
  over.store(true, std::memory_order_relaxed);
  threads.clear();
  EXPECT_GE(refused.load(), static_cast<uint64_t>(kRounds / 2));
  EXPECT_GE(arrived.load(), static_cast<uint64_t>(kRounds / 2));
}

}  // namespace canopy::transport
