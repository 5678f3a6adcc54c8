// The contract suite over transport/ofi on a double of libfabric, in every mode of behaviour that
// the code has an answer to and that no provider on an ordinary machine has.
#include "tests/unit/transport/contract_suite.h"
#include "tests/unit/transport/fake_fabric/fake_fabric.h"
#include "transport/ofi/ofi_transport.h"
#include "transport/rails/railed_transport.h"

#include <array>

namespace canopy::transport {
namespace {

using fake_fabric::Behaviour;

struct Mode {
  const char* name;
  Behaviour behaviour;
};

constexpr int kRealMrModes = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
constexpr int kAllMrModes = kRealMrModes | FI_MR_LOCAL | FI_MR_ENDPOINT;

const std::array kModes = {
    Mode{"as_tcp", {}},
    Mode{"without_put_order", {.order = FI_ORDER_SAS | FI_ORDER_SAW}},
    Mode{"without_messages_behind_puts", {.order = FI_ORDER_SAS | FI_ORDER_WAW}},
    Mode{"without_order_of_puts", {.order = FI_ORDER_SAS}},
    Mode{"without_delivery_complete",
         {.order = FI_ORDER_SAS | FI_ORDER_SAW, .delivery_complete = false}},
    Mode{"without_put_events", {.cq_data = false}},
    Mode{"without_wait_fd", {.wait_fd = false}},
    Mode{"mr_local", {.mr_mode = FI_MR_LOCAL}},
    Mode{"mr_virt_addr_allocated_prov_key", {.mr_mode = kRealMrModes}},
    Mode{"mr_endpoint", {.mr_mode = FI_MR_ENDPOINT}},
    Mode{"provider_keeps_contexts", {.mode = FI_CONTEXT | FI_CONTEXT2}},
    Mode{"small_messages", {.max_msg = 5000}},
    Mode{"nothing_injected", {.inject = 0}},
    Mode{"shallow", {.depth = 3}},
    Mode{"refuses_three_times", {.refuse = 3}},
    Mode{"everything_at_once",
         {.order = FI_ORDER_SAS,
          .cq_data = false,
          .wait_fd = false,
          .mr_mode = kAllMrModes,
          .mode = FI_CONTEXT,
          .max_msg = 7777,
          .inject = 5,
          .depth = 4,
          .refuse = 2}},
};

void open_ends(Pair& pair, const Behaviour& behaviour) {
  fake_fabric::reset(behaviour);
  pair.mappings.push_back(Mapping::anonymous(kBytes).value());
  pair.far_memory = {pair.mappings[0].base(), kBytes};
  auto far = ofi::OfiTransport::open({});
  auto near = ofi::OfiTransport::open({});
  CHECK(far && near, error_text::newest().c_str());
  pair.far = std::move(*far);
  pair.near = std::move(*near);
  pair.afterwards = [] {
    EXPECT_EQ(fake_fabric::misuse(), "");
    EXPECT_EQ(fake_fabric::counts().registrations, 0u);
  };
}

void connect(Transport& near, Transport& far, std::span<std::byte> memory) {
  const PeerRegion region{
      .id = kRegion, .bytes = kBytes, .key = far.register_region(kRegion, memory).value()};
  EXPECT_TRUE(near.connect(kPeer, far.address().value(), {&region, 1}));
}

template <size_t I>
std::unique_ptr<Pair> fake_pair() {
  auto pair = std::make_unique<Pair>();
  open_ends(*pair, kModes[I].behaviour);
  connect(*pair->near, *pair->far, pair->far_memory);
  return pair;
}

// The same over two rails, with many of the suite's puts and gets in stripes.
template <size_t I>
std::unique_ptr<Pair> railed_pair() {
  auto pair = std::make_unique<Pair>();
  open_ends(*pair, kModes[I].behaviour);
  const rails::StripeOptions options{
      .least_bytes = 3000, .smallest_chunk = 1000, .largest_chunk = 100'000};
  auto railed = std::make_unique<rails::RailedTransport>(std::move(pair->near), options,
                                                         rails::RailedTransport::Keeper{});
  connect(*railed, *pair->far, pair->far_memory);
  std::shared_ptr<Transport> far_end = ofi::OfiTransport::open({}).value();
  auto rail = std::make_shared<rails::Rail>("rail 1", ofi::OfiTransport::open({}).value());
  connect(*rail->transport, *far_end, pair->far_memory);
  railed->add_way(kPeer, rail, {kRegion});
  rail.reset();  // its ways keep it
  pair->near = std::move(railed);
  pair->afterwards = [far_end = std::move(far_end), then = pair->afterwards]() mutable {
    far_end.reset();
    then();
  };
  return pair;
}

template <size_t... I>
std::vector<Case> cases(std::index_sequence<I...>) {
  return {Case{kModes[I].name, fake_pair<I>}...};
}

INSTANTIATE_TEST_SUITE_P(FakeFabric, TransportContract,
                         testing::ValuesIn(cases(std::make_index_sequence<kModes.size()>())),
                         [](const auto& info) { return std::string(info.param.name); });

template <size_t... I>
std::vector<Case> railed_cases(std::index_sequence<I...>) {
  return {Case{kModes[I].name, railed_pair<I>}...};
}

INSTANTIATE_TEST_SUITE_P(FakeRails, TransportContract,
                         testing::ValuesIn(railed_cases(std::make_index_sequence<kModes.size()>())),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace canopy::transport
