#include "shmem/device/request_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace canopy::shmem {
namespace {

using Kind = Request::Kind;

// Publishes one request whose amo.value is `value`; false when the ring is full.
bool publish(RequestRing& ring, uint64_t value, bool tracked) {
  Request* entry = ring.reserve();
  if (entry == nullptr) {
    return false;
  }
  *entry = Request{};
  entry->kind = Kind::amo;
  entry->tracked = tracked;
  entry->amo.value = value;
  ring.publish();
  return true;
}
void ignore(const Request&) {}

class RingFrom : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Indices, RingFrom, testing::Values(0u, ~0u - 2));

TEST_P(RingFrom, HandsRequestsOverInOrderAndIsFullAtItsSize) {
  RequestRing ring(4, GetParam());
  EXPECT_EQ(ring.next(), nullptr);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(ring.full());
    EXPECT_TRUE(publish(ring, i, false));
  }
  EXPECT_TRUE(ring.full());
  EXPECT_FALSE(publish(ring, 4, false));
  for (uint64_t i = 0; i < 4; ++i) {
    ASSERT_NE(ring.next(), nullptr);
    EXPECT_EQ(ring.next()->amo.value, i);
    ring.advance();
  }
  EXPECT_EQ(ring.next(), nullptr);
  EXPECT_TRUE(ring.full()) << "posted is not given back";
  ring.retire(ignore);
  EXPECT_FALSE(ring.busy());
  EXPECT_TRUE(publish(ring, 5, false));
}

TEST_P(RingFrom, KeepsATrackedRequestUntilItIsSettled) {
  RequestRing ring(4, GetParam());
  publish(ring, 0, true);
  publish(ring, 1, false);
  Request* first = ring.next();
  ring.advance();
  ring.advance();
  ring.retire(ignore);
  EXPECT_TRUE(ring.busy());
  first->ticket.settle(Errc::io);
  int settled = 0;
  ring.retire([&](const Request& entry) {
    ++settled;
    EXPECT_EQ(entry.ticket.error(), Errc::io);
  });
  EXPECT_EQ(settled, 1);
  EXPECT_FALSE(ring.busy());
}

TEST(RequestRing, LosesNothingBetweenTwoThreads) {
  constexpr uint64_t kCount = 50'000;
  RequestRing ring(8, ~0u - 1000);
  std::thread producer([&] {
    for (uint64_t i = 0; i < kCount;) {
      if (publish(ring, i, i % 3 == 0)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint64_t expected = 0;
  while (expected < kCount) {
    if (Request* entry = ring.next()) {
      ASSERT_EQ(entry->amo.value, expected);
      if (entry->tracked) {
        entry->ticket.settle(Errc::ok);
      }
      ++expected;
      ring.advance();
      ring.retire(ignore);
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
  EXPECT_FALSE(ring.busy());
}

}  // namespace
}  // namespace canopy::shmem
