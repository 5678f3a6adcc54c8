// The contract suite over the transports. A transport joins by adding a Pair factory to the list at
// the end; a capability that it does not promise is skipped out loud.
#include "tests/unit/transport/contract_suite.h"
#include "transport/far/far_transport.h"
#include "transport/faulty/faulty_transport.h"
#include "transport/mapped/mapped_transport.h"
#include "transport/ofi/ofi_transport.h"
#include "transport/self/self_transport.h"

namespace canopy::transport {
namespace {

std::unique_ptr<Pair> self_pair() {
  auto pair = std::make_unique<Pair>();
  pair->mappings.push_back(Mapping::anonymous(kBytes).value());
  pair->far_memory = {pair->mappings[0].base(), kBytes};
  pair->near = std::make_unique<SelfTransport>();
  EXPECT_TRUE(pair->near->register_region(kRegion, pair->far_memory));
  const PeerRegion region{.id = kRegion, .bytes = kBytes};
  EXPECT_TRUE(pair->near->connect(kPeer, "", {&region, 1}));
  return pair;
}

std::unique_ptr<Pair> mapped_pair() {
  auto pair = std::make_unique<Pair>();
  UniqueFd fd = sealed_memfd("contract", kBytes).value();
  pair->mappings.push_back(Mapping::shared(fd, kBytes).value());
  pair->mappings.push_back(Mapping::shared(fd, kBytes).value());
  pair->far_memory = {pair->mappings[0].base(), kBytes};
  pair->near = std::make_unique<MappedTransport>();
  const PeerRegion region{.id = kRegion, .bytes = kBytes, .mapped_at = pair->mappings[1].base()};
  EXPECT_TRUE(pair->near->connect(kPeer, "", {&region, 1}));
  return pair;
}

// Both ends in this process, over the loopback interface.
std::unique_ptr<Pair> ofi_pair() {
  auto pair = std::make_unique<Pair>();
  pair->mappings.push_back(Mapping::anonymous(kBytes).value());
  pair->far_memory = {pair->mappings[0].base(), kBytes};
  const ofi::ProviderWish wish{.provider = "", .interface = "127.0.0.1"};
  auto far = ofi::OfiTransport::open(wish);
  auto near = ofi::OfiTransport::open(wish);
  CHECK(far && near, error_text::newest().c_str());
  pair->far = std::move(*far);
  pair->near = std::move(*near);
  const PeerRegion region{.id = kRegion,
                          .bytes = kBytes,
                          .key = pair->far->register_region(kRegion, pair->far_memory).value()};
  EXPECT_TRUE(pair->near->connect(kPeer, pair->far->address().value(), {&region, 1}));
  return pair;
}

// Of our own memory and of mapped memory, with everything that the contract allows.
std::unique_ptr<Pair> faulty_self_pair() {
  auto pair = self_pair();
  const FaultPlan plan =
      FaultPlan::parse("seed=20261121,delay=3,reorder,again=10,window=7").value();
  auto faulty = std::make_unique<FaultyTransport>(std::move(pair->near), plan, 0);
  const PeerRegion region{.id = kRegion, .bytes = kBytes};
  EXPECT_TRUE(faulty->connect(kPeer, "", {&region, 1}));
  pair->near = std::move(faulty);
  return pair;
}

std::unique_ptr<Pair> faulty_mapped_pair() {
  auto pair = mapped_pair();
  const FaultPlan plan = FaultPlan::parse("seed=20261122,delay=2").value();
  auto faulty = std::make_unique<FaultyTransport>(std::move(pair->near), plan, 0);
  const PeerRegion region{.id = kRegion, .bytes = kBytes, .mapped_at = pair->mappings[1].base()};
  EXPECT_TRUE(faulty->connect(kPeer, "", {&region, 1}));
  pair->near = std::move(faulty);
  return pair;
}

// The same behind doors: the network is opened by the first operation.
std::unique_ptr<Pair> far_pair() {
  auto pair = std::make_unique<Pair>();
  pair->mappings.push_back(Mapping::anonymous(kBytes).value());
  pair->far_memory = {pair->mappings[0].base(), kBytes};
  far::FarOptions options;
  options.interface = "127.0.0.1";
  options.open_network = [](const NetworkWish& wish) -> Result<Network> {
    CANOPY_ASSIGN(auto opened, ofi::OfiTransport::open({wish.provider, wish.interface}));
    std::string provider(opened->provider());
    return Network{std::move(opened), std::move(provider)};
  };
  auto far = far::FarTransport::open(options);
  auto near = far::FarTransport::open(options);
  CHECK(far && near, error_text::newest().c_str());
  pair->far = std::move(*far);
  pair->near = std::move(*near);
  EXPECT_TRUE(pair->far->register_region(kRegion, pair->far_memory));
  const PeerRegion region{.id = kRegion, .bytes = kBytes};
  EXPECT_TRUE(pair->near->connect(kPeer, pair->far->address().value(), {&region, 1}));
  return pair;
}

#if !defined(__SANITIZE_THREAD__)
// What the contract forbids: the owner lets a region go that a peer still has open. The provider
// refuses the access; neither side hangs, and nothing is written.
TEST(OfiRegions, WithdrawnUnderAPeerEndsInAnErrorAboutThatPeer) {
  auto pair = ofi_pair();
  Mapping memory = Mapping::anonymous(kBytes).value();
  const RegionId id = kRegion + 1;
  const PeerRegion region{.id = id,
                          .bytes = kBytes,
                          .key = pair->far->offer_region(id, {memory.base(), kBytes}).value()};
  const auto wait = [](FunctionRef<bool()> ready) {
    const auto end =
        wait_until(ready, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(30)),
                   [] { return std::string("an access to a withdrawn region"); });
    CHECK(end == WaitEnd::ready, "an access to a withdrawn region must end within 30 s");
  };
  ASSERT_TRUE(open_region(*pair->near, kPeer, region, wait)) << error_text::newest();
  const uint64_t value = 7;
  ASSERT_TRUE(put(*pair->near, {kPeer, id, 0}, &value, sizeof value, wait));
  ASSERT_TRUE(quiet(*pair->near, kPeer, wait)) << error_text::newest();
  ASSERT_TRUE(pair->far->withdraw_region(id)) << error_text::newest();
  uint64_t back = 0;
  EXPECT_FALSE(get(*pair->near, &back, {kPeer, id, 0}, sizeof back, wait));
  EXPECT_NE(pair->near->trouble(kPeer).find("peer 5"), std::string::npos)
      << pair->near->trouble(kPeer);
  (void)put(*pair->near, {kPeer, id, 64}, &value, sizeof value, wait);
  (void)quiet(*pair->near, kPeer, wait);
  EXPECT_EQ(memory.base()[64], std::byte{0});
}

// ThreadSanitizer does not see that a socket orders what libfabric, which is not built with it,
// reads and writes on both sides. It looks at the same code over the double of libfabric instead.
INSTANTIATE_TEST_SUITE_P(Network, TransportContract,
                         testing::Values(Case{"ofi", ofi_pair}, Case{"far", far_pair}),
                         [](const auto& info) { return std::string(info.param.name); });
#else
[[maybe_unused]] const auto kNotHere = {ofi_pair, far_pair};
#endif

INSTANTIATE_TEST_SUITE_P(Transports, TransportContract,
                         testing::Values(Case{"self", self_pair}, Case{"mapped", mapped_pair},
                                         Case{"faulty_self", faulty_self_pair},
                                         Case{"faulty_mapped", faulty_mapped_pair}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace canopy::transport
