// The parts of the host watch that need no connection: who watches whom, the wire, the addresses.
#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_neighbour.h"
#include "launcher/bootstrap/watch_wire.h"

#include <gtest/gtest.h>

#include <bit>
#include <numeric>
#include <vector>

namespace canopy::watch {
namespace {

TEST(WatchNeighbours, OfEveryPairExactlyOneDials) {
  for (int n = 1; n <= 40; ++n) {
    std::vector<std::vector<int>> dials(static_cast<size_t>(n),
                                        std::vector<int>(static_cast<size_t>(n)));
    std::vector<std::vector<int>> knows = dials;
    for (int host = 0; host < n; ++host) {
      for (const NeighbourPlan& plan : neighbours_of(host, n)) {
        ASSERT_NE(plan.host, host);
        knows[static_cast<size_t>(host)][static_cast<size_t>(plan.host)] += 1;
        dials[static_cast<size_t>(host)][static_cast<size_t>(plan.host)] = plan.we_dial ? 1 : 0;
      }
    }
    for (size_t a = 0; a < dials.size(); ++a) {
      for (size_t b = 0; b < dials.size(); ++b) {
        EXPECT_EQ(knows[a][b], knows[b][a]) << n << " hosts: " << a << ", " << b;
        EXPECT_LE(knows[a][b], 1) << n << " hosts: " << a << ", " << b;
        EXPECT_EQ(dials[a][b] + dials[b][a], knows[a][b]) << n << " hosts: " << a << ", " << b;
      }
    }
  }
}

// Steps from host 0 to the farthest, without `missing`.
int reach(int n, int missing) {
  std::vector<int> steps(static_cast<size_t>(n), -1);
  const int first = missing == 0 ? 1 : 0;
  std::vector<int> queue = {first};
  steps[static_cast<size_t>(first)] = 0;
  for (size_t at = 0; at < queue.size(); ++at) {
    for (const NeighbourPlan& plan : neighbours_of(queue[at], n)) {
      auto& there = steps[static_cast<size_t>(plan.host)];
      if (there < 0 && plan.host != missing) {
        there = steps[static_cast<size_t>(queue[at])] + 1;
        queue.push_back(plan.host);
      }
    }
  }
  return queue.size() == static_cast<size_t>(missing < 0 ? n : n - 1)
             ? steps[static_cast<size_t>(queue.back())]
             : -1;
}

TEST(WatchNeighbours, NoticesTakeFewStepsAndPassAMissingHost) {
  for (int n = 2; n <= 130; n = n * 3 / 2 + 1) {
    const int levels = std::bit_width(static_cast<unsigned>(n - 1));
    EXPECT_LE(neighbours_of(0, n).size(), static_cast<size_t>(2 * levels)) << n;
    EXPECT_GE(reach(n, -1), 1) << n;
    EXPECT_LE(reach(n, -1), levels) << n;
    for (int missing = 0; n > 2 && missing < n; ++missing) {
      EXPECT_GE(reach(n, missing), n == 3 ? 1 : 0) << n << " hosts without " << missing;
    }
  }
}

TEST(WatchWire, FramesComeOutAsTheyWentIn) {
  std::string bytes;
  append_frame(bytes, FrameType::heartbeat, "");
  append_frame(bytes, FrameType::greeting, encode(Greeting{1, 2, 0x0123456789abcdefULL}));
  append_frame(bytes, FrameType::notice,
               encode(Notice{NoticeKind::lost, 7, 0xfffffffe, 3, std::string("a\0b", 3)}));
  Frame frame;
  std::string arrived;
  std::vector<Frame> frames;
  for (char byte : bytes) {  // byte by byte, as bad as TCP may deliver it
    arrived.push_back(byte);
    if (take_frame(arrived, 1000, &frame) == Taken::whole) {
      frames.push_back(frame);
    }
  }
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].type, FrameType::heartbeat);
  const auto greeting = decode_greeting(frames[1].payload);
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->from, 1u);
  EXPECT_EQ(greeting->to, 2u);
  EXPECT_EQ(greeting->nonce, 0x0123456789abcdefULL);
  const auto notice = decode_notice(frames[2].payload);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->kind, NoticeKind::lost);
  EXPECT_EQ(notice->origin, 7u);
  EXPECT_EQ(notice->number, 0xfffffffeu);
  EXPECT_EQ(notice->subject, 3u);
  EXPECT_EQ(notice->text, std::string("a\0b", 3));
}

TEST(WatchWire, MalformedInputIsTold) {
  Frame frame;
  std::string unknown_type("\x09\0\0\0\0", 5);
  EXPECT_EQ(take_frame(unknown_type, 1000, &frame), Taken::malformed);
  std::string too_long("\x03\0\0\x04\0", 5);
  EXPECT_EQ(take_frame(too_long, 1023, &frame), Taken::malformed);
  EXPECT_EQ(take_frame(too_long, 1024, &frame), Taken::incomplete);
  std::string nothing;
  EXPECT_EQ(take_frame(nothing, 1000, &frame), Taken::incomplete);

  const std::string greeting = encode(Greeting{1, 2, 3});
  const std::string notice = encode(Notice{NoticeKind::told, 1, 2, 3, ""});
  EXPECT_FALSE(decode_greeting(greeting.substr(1)));
  EXPECT_FALSE(decode_greeting(greeting + "x"));
  for (size_t length = 0; length < greeting.size(); ++length) {
    EXPECT_FALSE(decode_greeting(greeting.substr(0, length))) << length;
  }
  for (size_t length = 0; length < notice.size(); ++length) {
    EXPECT_FALSE(decode_notice(notice.substr(0, length))) << length;
  }
  std::string unknown_kind = notice;
  unknown_kind[0] = 4;
  EXPECT_FALSE(decode_notice(unknown_kind));
}

TEST(WatchAddress, IsReadAsItWasWritten) {
  const WatchAddress address{"h1", 45123, 0x00c0ffee, {"10.80.0.11", "fd00::1"}};
  EXPECT_EQ(address.text(), "h1 45123 0000000000c0ffee 10.80.0.11 fd00::1");
  const auto read = WatchAddress::parse(address.text());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), address.text());
}

TEST(WatchAddress, OfThisHostCanBeRead) {
  const auto address = WatchAddress::of_this_host(1, 2);
  ASSERT_TRUE(address) << error_text::newest();
  ASSERT_TRUE(WatchAddress::parse(address->text())) << address->text();
  for (const std::string& ip : address->ips) {
    EXPECT_GT(socket_address(ip, 1).length, 0u) << ip;
  }
}

TEST(WatchAddress, WhatIsNoneIsAnError) {
  for (const char* text :
       {"", "h1", "h1 45123", "h1 45123 c0ffee", "h1 0 c0ffee 10.0.0.1", "h1 65536 c0ffee 10.0.0.1",
        "h1 45x c0ffee 10.0.0.1", "h1 45123 coffee 10.0.0.1", "h1 45123 c0ffee 10.0.0.256",
        "h1 45123 c0ffee 10.0.0.1 somewhere"}) {
    const auto read = WatchAddress::parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::parse);
  }
}

}  // namespace
}  // namespace canopy::watch
