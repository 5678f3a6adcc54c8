// Which provider is chosen, by what it can do.
#include "tests/unit/transport/fake_fabric/fake_fabric.h"
#include "transport/ofi/lane.h"
#include "transport/ofi/provider.h"

#include <gtest/gtest.h>

namespace canopy::transport::ofi {
namespace {

using fake_fabric::Behaviour;

TEST(OfiProvider, GuaranteesAreWhatTheProviderReturned) {
  fake_fabric::reset({.order = FI_ORDER_SAS | FI_ORDER_WAW});
  const auto ordered = choose_provider({}).value().guarantees;
  EXPECT_TRUE(ordered.puts_in_order && ordered.delivery && ordered.announce);
  EXPECT_FALSE(ordered.message_after_puts);
  EXPECT_TRUE(ordered.flush_by_put());
  EXPECT_FALSE(ordered.deliver_each());

  fake_fabric::reset({.order = FI_ORDER_SAS, .cq_data = false});
  const auto loose = choose_provider({}).value().guarantees;
  EXPECT_TRUE(loose.deliver_each());
  EXPECT_FALSE(loose.announce);
}

TEST(OfiProvider, OneThatCannotTellOfArrivalIsRefused) {
  fake_fabric::reset({.order = FI_ORDER_SAS, .delivery_complete = false});
  EXPECT_EQ(choose_provider({}).error().code, Errc::not_supported);
}

TEST(OfiProvider, OneWithoutOrderOfMessagesIsRefused) {
  fake_fabric::reset({.order = FI_ORDER_WAW | FI_ORDER_SAW});
  EXPECT_EQ(choose_provider({}).error().code, Errc::not_supported);
}

TEST(OfiProvider, OneWithAMemoryModeThatWeDoNotSpeakIsRefused) {
  fake_fabric::reset({.mr_mode = FI_MR_RAW});
  EXPECT_EQ(choose_provider({}).error().code, Errc::not_supported);
}

TEST(OfiProvider, SocketsAndNetServeOnlyThoseWhoNameThem) {
  for (const char* name : {"sockets", "net", "net;ofi_rxm"}) {
    fake_fabric::reset({.provider = name});
    EXPECT_EQ(choose_provider({}).error().code, Errc::not_supported) << name;
    EXPECT_NE(error_text::newest().find(name), std::string::npos) << error_text::newest();
    EXPECT_TRUE(choose_provider({.provider = name, .interface = ""})) << name;
  }
}

TEST(OfiProvider, AnInterfaceMayBeADomainsName) {
  fake_fabric::reset({.domain = "mlx5_1"});
  EXPECT_TRUE(choose_provider({.provider = "", .interface = "mlx5_1"}));
  EXPECT_FALSE(choose_provider({.provider = "", .interface = "mlx5_0"}));
  // Its addresses are not IP: it cannot be judged by one.
  EXPECT_TRUE(choose_provider({.provider = "", .interface = "10.77.0.2"}));
}

TEST(OfiProvider, TheSentenceSaysWhatWasWanted) {
  fake_fabric::reset({});
  ASSERT_FALSE(choose_provider({.provider = "efa", .interface = "rail1"}));
  EXPECT_NE(error_text::newest().find("efa"), std::string::npos);
  EXPECT_NE(error_text::newest().find("rail1"), std::string::npos);
}

TEST(OfiGenerations, AQuietWaitsForWhatCameBeforeItAndNotForWhatCameAfter) {
  Generations counts;
  EXPECT_TRUE(counts.empty());
  const uint32_t first = counts.add();
  EXPECT_EQ(counts.add(), first);
  const uint32_t quiet = counts.close();
  const uint32_t later = counts.add();
  EXPECT_NE(later, first);
  EXPECT_FALSE(counts.remove(first));
  EXPECT_FALSE(counts.complete(quiet));
  EXPECT_TRUE(counts.remove(first));
  EXPECT_TRUE(counts.complete(quiet));
  EXPECT_FALSE(counts.empty());
  EXPECT_FALSE(counts.remove(later)) << "the open generation stays";
  EXPECT_TRUE(counts.empty());
}

TEST(OfiGenerations, LaterOnesDoNotCompleteBeforeEarlierOnes) {
  Generations counts;
  const uint32_t a = counts.add();
  const uint32_t quiet_a = counts.close();
  const uint32_t b = counts.add();
  const uint32_t quiet_b = counts.close();
  EXPECT_EQ(counts.close(), quiet_b) << "nothing came in between";
  EXPECT_FALSE(counts.remove(b));
  EXPECT_FALSE(counts.complete(quiet_b));
  EXPECT_TRUE(counts.remove(a));
  EXPECT_TRUE(counts.complete(quiet_a) && counts.complete(quiet_b));
  EXPECT_TRUE(counts.empty());
}

}  // namespace
}  // namespace canopy::transport::ofi
