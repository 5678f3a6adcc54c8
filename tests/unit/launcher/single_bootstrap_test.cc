#include "launcher/bootstrap/single_bootstrap.h"

#include <gtest/gtest.h>

namespace canopy {
namespace {

TEST(SingleBootstrap, IsPeZeroOfOne) {
  SingleBootstrap job;
  EXPECT_EQ(job.pe(), 0);
  EXPECT_EQ(job.n_pes(), 1);
  EXPECT_EQ(job.kind(), "single");
}

TEST(SingleBootstrap, ExchangeReturnsItsOwnCard) {
  SingleBootstrap job;
  const std::string card("a\0b", 3);
  auto cards = job.exchange(card);
  ASSERT_TRUE(cards);
  EXPECT_EQ(*cards, std::vector<std::string>{card});
  EXPECT_TRUE(job.barrier());
}

TEST(SingleBootstrap, FinalizeIsIdempotentAndEndsTheRest) {
  SingleBootstrap job;
  EXPECT_TRUE(job.finalize());
  EXPECT_TRUE(job.finalize());
  EXPECT_EQ(job.barrier().error().code, Errc::closed);
  EXPECT_EQ(error_text::newest(), "pe 0 of 1: barrier after finalize");
  EXPECT_EQ(job.exchange("x").error().code, Errc::closed);
}

TEST(SingleBootstrap, AbortReturnsToTheCaller) {
  SingleBootstrap job;
  job.abort(3, "for the test");
  EXPECT_TRUE(job.barrier());
}

}  // namespace
}  // namespace canopy
