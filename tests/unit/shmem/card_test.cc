#include "shmem/world/card.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace canopy::shmem {
namespace {

TEST(Card, ComesBackAsItWasPacked) {
  Card card = card_of_this_process();
  card.control_nonce = 7;
  card.heap_bytes = 1ull << 40;
  card.heap_by_user = true;
  card.broker = {5, 6};
  auto back = Card::unpack(card.pack(), 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->pid, ::getpid());
  EXPECT_EQ(back->process_nonce, card.process_nonce);
  EXPECT_EQ(back->control_nonce, 7u);
  EXPECT_EQ(back->heap_bytes, 1ull << 40);
  EXPECT_TRUE(back->heap_by_user);
  EXPECT_EQ(back->broker, card.broker);
  EXPECT_EQ(back->boot_id, card.boot_id);
  EXPECT_NE(back->boot_id, (std::array<uint64_t, 2>{}));
  EXPECT_EQ(back->host, card.host);
  EXPECT_EQ(back->cpus, card.cpus);
}

TEST(Card, RefusesEveryTruncationAndNamesThePe) {
  const std::string whole = card_of_this_process().pack();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(Card::unpack(std::string_view(whole).substr(0, length), 3)) << length;
  }
  EXPECT_FALSE(Card::unpack(fmt::format("{}x", whole), 3));
  EXPECT_NE(error_text::newest().find("PE 3"), std::string::npos);
}

TEST(Card, CountsTheCpusOfAllPesOnce) {
  std::vector<Card> cards(2);
  cards[0].cpus = CommonText("\x03");
  cards[1].cpus = CommonText("\x02\x01");
  EXPECT_EQ(cpus_together(cards), 3);
  EXPECT_EQ(cpus_together(std::vector<Card>(2)), 1) << "an unknown mask counts as one CPU";
}

}  // namespace
}  // namespace canopy::shmem
