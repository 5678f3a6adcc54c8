#include "tests/unit/transport/contract_suite.h"

#include "runtime/base/cache_line.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <thread>

namespace canopy::transport {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSlower = 5;  // what a sanitizer costs, roughly
#else
constexpr uint64_t kSlower = 1;
#endif

std::vector<std::byte> random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

}  // namespace

TEST_P(TransportContract, ZeroLengthDoesNothingAndTakesNullPointers) {
  far()[0] = std::byte{7};
  ASSERT_TRUE(put(at(0), nullptr, 0)) << error_text::newest();
  ASSERT_TRUE(get(nullptr, at(0), 0)) << error_text::newest();
  ASSERT_TRUE(put(at(kBytes), nullptr, 0)) << error_text::newest();
  ASSERT_TRUE(quiet()) << error_text::newest();
  EXPECT_EQ(far()[0], std::byte{7});
}

TEST_P(TransportContract, PutAndGetMoveEverySizeFromEveryAlignment) {
  std::mt19937_64 random(42);
  const auto source = random_bytes(9u << 20, 1);
  std::vector<std::byte> back(source.size());
  for (int i = 0; i < 60; ++i) {
    // Sizes spread over the powers of two up to 8 MiB; both ends start at odd places.
    const size_t nbytes = random() % ((size_t{1} << (i % 24)) + 1);
    const size_t from = random() % 64;
    const uint64_t to = 1 + random() % (kBytes - nbytes - 1);
    far()[to - 1] = std::byte{0xA5};
    if (to + nbytes < kBytes) {
      far()[to + nbytes] = std::byte{0x5A};
    }
    const bool post = i % 2 == 1;
    ASSERT_TRUE(post ? post_put(at(to), source.data() + from, nbytes)
                     : put(at(to), source.data() + from, nbytes));
    ASSERT_TRUE(quiet()) << error_text::newest();
    ASSERT_EQ(std::memcmp(source.data() + from, far().data() + to, nbytes), 0)
        << nbytes << " bytes to " << to;
    ASSERT_EQ(far()[to - 1], std::byte{0xA5});
    if (to + nbytes < kBytes) {
      ASSERT_EQ(far()[to + nbytes], std::byte{0x5A});
    }
    ASSERT_TRUE(post ? post_get(back.data() + from, at(to), nbytes)
                     : get(back.data() + from, at(to), nbytes));
    ASSERT_TRUE(quiet()) << error_text::newest();
    ASSERT_EQ(std::memcmp(source.data() + from, back.data() + from, nbytes), 0);
  }
}

TEST_P(TransportContract, PutLeavesTheSourceReusable) {
  uint64_t value = 1;
  ASSERT_TRUE(put(at(64), &value, sizeof value)) << error_text::newest();
  value = 2;
  ASSERT_TRUE(quiet()) << error_text::newest();
  EXPECT_EQ(load_acquire(far_word(64)), 1u);
}

TEST_P(TransportContract, ErrorsNameWhatIsOutOfRange) {
  uint64_t value = 0;
  EXPECT_EQ(put(at(kBytes - 4), &value, 8).error().code, Errc::out_of_range);
  EXPECT_NE(error_text::newest().find(std::to_string(kBytes)), std::string::npos);
  EXPECT_EQ(get(&value, at(~uint64_t{0} - 3), 8).error().code, Errc::out_of_range);
  EXPECT_EQ(put({kPeer + 1, kRegion, 0}, &value, 8).error().code, Errc::not_found);
  EXPECT_EQ(put({-1, kRegion, 0}, &value, 8).error().code, Errc::not_found);
  EXPECT_EQ(put({kPeer, kRegion + 1, 0}, &value, 8).error().code, Errc::not_found);
  EXPECT_EQ(amo(at(3), {.op = AmoOp::add}).error().code, Errc::misaligned);
  EXPECT_EQ(amo(at(0), {.op = AmoOp::add, .width = 2}).error().code, Errc::invalid_argument);
  EXPECT_EQ(signal(at(4), {SignalOp::set, 1}).error().code, Errc::misaligned);
  EXPECT_EQ(signal(at(2), {SignalOp::set, 1, 4}).error().code, Errc::misaligned);
  EXPECT_EQ(signal(at(0), {SignalOp::set, 1, 2}).error().code, Errc::invalid_argument);
}

TEST_P(TransportContract, SignalsChangeTheirWordAloneInBothWidths) {
  for (uint8_t width : {uint8_t{4}, uint8_t{8}}) {
    *far_word(128) = ~uint64_t{0};
    *far_word(136) = ~uint64_t{0};
    ASSERT_TRUE(signal(at(128), {SignalOp::add, 3, width})) << error_text::newest();
    ASSERT_TRUE(quiet()) << error_text::newest();
    EXPECT_EQ(load_acquire(far_word(128)), width == 4 ? 0xFFFFFFFF00000002u : 2u);
    ASSERT_TRUE(signal(at(132), {SignalOp::set, 7, 4})) << error_text::newest();
    ASSERT_TRUE(quiet()) << error_text::newest();
    EXPECT_EQ(load_acquire(far_word(128)) >> 32, 7u);
    EXPECT_EQ(load_acquire(far_word(128)) & 0xFFFFFFFF, 2u);
    EXPECT_EQ(load_acquire(far_word(136)), ~uint64_t{0});
  }
}

TEST_P(TransportContract, AmosDoWhatTheirNamesSayInBothWidths) {
  for (uint8_t width : {uint8_t{4}, uint8_t{8}}) {
    const auto run = [&](AmoOp op, uint64_t value, uint64_t compare = 0) {
      return amo(at(128), {op, width, value, compare}).value();
    };
    *far_word(128) = 0xFFFFFFFF00000000u;
    const uint64_t high = width == 4 ? 0 : 0xFFFFFFFF00000000u;
    EXPECT_EQ(run(AmoOp::add, 5), high);
    EXPECT_EQ(run(AmoOp::fetch, 0), high + 5);
    EXPECT_EQ(run(AmoOp::compare_swap, 9, 4), high + 5);
    EXPECT_EQ(run(AmoOp::compare_swap, 12, high + 5), high + 5);
    EXPECT_EQ(run(AmoOp::bit_or, 3), 12u);
    EXPECT_EQ(run(AmoOp::bit_and, 6), 15u);
    EXPECT_EQ(run(AmoOp::bit_xor, 1), 6u);
    EXPECT_EQ(run(AmoOp::swap, 100), 7u);
    run(AmoOp::set, 1);
    EXPECT_EQ(run(AmoOp::fetch, 0), 1u);
    EXPECT_EQ(run(AmoOp::add, ~uint64_t{0}), 1u);  // wraps
    EXPECT_EQ(run(AmoOp::fetch, 0), 0u);
    if (width == 4) {
      EXPECT_EQ(*far_word(128) >> 32, 0xFFFFFFFFu) << "a narrow amo must not touch its neighbour";
    }
  }
}

TEST_P(TransportContract, RealNumbersAreAddedInBothWidths) {
  const auto run = [&](uint8_t width, uint64_t bits) {
    return amo(at(136), {AmoOp::add_real, width, bits, 0}).value();
  };
  *far_word(136) = 0;
  EXPECT_EQ(run(4, std::bit_cast<uint32_t>(1.5f)), 0u);
  EXPECT_EQ(run(4, std::bit_cast<uint32_t>(-4.0f)), std::bit_cast<uint32_t>(1.5f));
  EXPECT_EQ(*far_word(136), std::bit_cast<uint32_t>(-2.5f));
  *far_word(136) = std::bit_cast<uint64_t>(0.25);
  EXPECT_EQ(run(8, std::bit_cast<uint64_t>(2.0)), std::bit_cast<uint64_t>(0.25));
  EXPECT_EQ(*far_word(136), std::bit_cast<uint64_t>(2.25));
}

TEST_P(TransportContract, AmosOfSeveralThreadsLoseNothing) {
  const uint64_t kRounds = near().capabilities().direct ? 20'000 : 500 / kSlower;
  const auto add = [&] {
    for (uint64_t i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(amo(at(192), {.op = AmoOp::add, .value = 1})) << error_text::newest();
    }
  };
  std::thread other(add);
  const bool with_cpu = near().capabilities().amo_with_cpu;
  if (with_cpu) {
    for (uint64_t i = 0; i < kRounds; ++i) {
      std::atomic_ref<uint64_t>(*far_word(192)).fetch_add(1, std::memory_order_relaxed);
    }
  }
  add();
  other.join();
  ASSERT_TRUE(quiet()) << error_text::newest();
  EXPECT_EQ(load_acquire(far_word(192)), kRounds * (with_cpu ? 3 : 2));
}

TEST_P(TransportContract, SignalIsSeenAfterThePutsBeforeIt) {
  constexpr int kRounds = 300 / kSlower;
  constexpr size_t kPayload = 4096;
  std::vector<std::byte> data(kPayload);
  std::thread sender([&] {
    for (int round = 1; round <= kRounds; ++round) {
      std::fill(data.begin(), data.end(), static_cast<std::byte>(round));
      ASSERT_TRUE(put(at(1u << 20), data.data(), kPayload)) << error_text::newest();
      ASSERT_TRUE(signal(at(256), {SignalOp::add, 1})) << error_text::newest();
      wait([&] {
        near().progress();
        return load_acquire(far_word(320)) == static_cast<uint64_t>(round);
      });
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    wait([&] { return load_acquire(far_word(256)) == static_cast<uint64_t>(round); });
    const std::byte* got = far().data() + (1u << 20);
    EXPECT_TRUE(std::all_of(got, got + kPayload,
                            [&](std::byte b) { return b == static_cast<std::byte>(round); }))
        << "round " << round;
    store_release(far_word(320), static_cast<uint64_t>(round));
  }
  sender.join();
}

TEST_P(TransportContract, PutsAfterAFenceArriveAfterThoseBeforeIt) {
  constexpr uint64_t kRounds = 200 / kSlower;
  constexpr size_t kWords = 700;  // more than any transport carries by copying
  std::vector<uint64_t> data(kWords);
  std::thread sender([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      std::fill(data.begin(), data.end(), round);
      // Odd rounds end with the short puts of one word, which take other ways.
      const size_t words = round % 2 == 0 ? kWords : 3;
      for (size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(post_put(at(4096 + 8 * i), &data[i], sizeof data[i]));
      }
      ASSERT_TRUE(post_put(at(8192), data.data(), words * sizeof data[0]));
      near().fence();
      ASSERT_TRUE(put(at(704), &round, sizeof round));
      ASSERT_TRUE(quiet());
      wait([&] { return near().progress(), load_acquire(far_word(768)) == round; });
    }
  });
  for (uint64_t round = 1; round <= kRounds; ++round) {
    wait([&] { return load_acquire(far_word(704)) == round; });
    EXPECT_EQ(load_acquire(far_word(4096)), round);
    EXPECT_EQ(load_acquire(far_word(4096 + 16)), round);
    EXPECT_EQ(load_acquire(far_word(8192 + 8 * (round % 2 == 0 ? kWords - 1 : 2))), round);
    store_release(far_word(768), round);
  }
  sender.join();
}

TEST_P(TransportContract, PutsAfterAFenceArriveAfterTheAmosAndSignalsBeforeIt) {
  constexpr uint64_t kRounds = 200 / kSlower;
  std::thread sender([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      ASSERT_TRUE(patiently([&] {
        return near().post_amo(at(832), {.op = AmoOp::add, .value = 1}, nullptr, nullptr);
      }));
      ASSERT_TRUE(signal(at(840), {SignalOp::add, 1}));
      near().fence();
      ASSERT_TRUE(put(at(848), &round, sizeof round));
      ASSERT_TRUE(quiet());
      wait([&] { return near().progress(), load_acquire(far_word(856)) == round; });
    }
  });
  for (uint64_t round = 1; round <= kRounds; ++round) {
    wait([&] { return load_acquire(far_word(848)) == round; });
    EXPECT_EQ(load_acquire(far_word(832)), round);
    EXPECT_EQ(load_acquire(far_word(840)), round);
    store_release(far_word(856), round);
  }
  sender.join();
}

TEST_P(TransportContract, QuietOrdersPutsBeforeLaterLoads) {
  // Store buffering: each side writes its word, quiets, reads the other's. Both reading the old
  // value is what a quiet without a StoreLoad fence allows.
  const uint64_t kRounds = near().capabilities().direct ? 20'000 : 300 / kSlower;
  uint64_t mine_seen = 0;
  uint64_t theirs_seen = 0;
  alignas(64) uint64_t turn[2] = {};
  const auto meet = [&](int me, uint64_t round) {
    store_release(&turn[me], round);
    for (int spins = 0; load_acquire(&turn[1 - me]) < round; ++spins) {
      spins < 200 ? cpu_relax() : static_cast<void>(sched_yield());
    }
  };
  int misses = 0;
  std::thread other([&] {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      meet(1, 2 * round);
      ASSERT_TRUE(put(at(512), &round, sizeof round)) << error_text::newest();
      ASSERT_TRUE(quiet()) << error_text::newest();
      ASSERT_TRUE(get(&theirs_seen, at(1024), sizeof theirs_seen)) << error_text::newest();
      meet(1, 2 * round + 1);
    }
  });
  for (uint64_t round = 1; round <= kRounds; ++round) {
    meet(0, 2 * round);
    ASSERT_TRUE(put(at(1024), &round, sizeof round)) << error_text::newest();
    ASSERT_TRUE(quiet()) << error_text::newest();
    ASSERT_TRUE(get(&mine_seen, at(512), sizeof mine_seen)) << error_text::newest();
    meet(0, 2 * round + 1);
    misses += mine_seen < round && theirs_seen < round;
  }
  other.join();
  EXPECT_EQ(misses, 0);
}

// Who hears something for ever never sleeps.
TEST_P(TransportContract, NothingIsHeardInSilence) {
  const uint64_t value = 1;
  ASSERT_TRUE(put(at(512), &value, sizeof value)) << error_text::newest();
  ASSERT_TRUE(quiet()) << error_text::newest();
  for (Transport* end : {pair().far.get(), &near()}) {
    if (end != nullptr) {
      wait([&] {
        end->progress();
        return !end->hears();
      });
    }
  }
}

TEST_P(TransportContract, DirectGivesTheRegionsAddress) {
  if (!near().capabilities().direct) {
    EXPECT_FALSE(near().direct(kPeer, kRegion));
    GTEST_SKIP() << GetParam().name << ": no direct access";
  }
  const auto base = near().direct(kPeer, kRegion);
  ASSERT_TRUE(base);
  (*base)[77] = std::byte{0x42};
  EXPECT_EQ(far()[77], std::byte{0x42});
  EXPECT_FALSE(near().direct(kPeer + 1, kRegion));
  EXPECT_FALSE(near().direct(-1, kRegion));
}

TEST_P(TransportContract, TicketsAreSettledOnceTheOperationIsDone) {
  const uint64_t value = 77;
  uint64_t back = 0;
  uint64_t old = 0;
  Ticket tickets[4];
  ASSERT_TRUE(
      patiently([&] { return near().post_put(at(640), &value, sizeof value, &tickets[0]); }));
  ASSERT_TRUE(patiently([&] { return near().post_quiet(kPeer, &tickets[1]); }));
  wait([&] { return near().progress(), tickets[0].settled() && tickets[1].settled(); });
  EXPECT_EQ(load_acquire(far_word(640)), 77u);
  ASSERT_TRUE(patiently([&] { return near().post_get(&back, at(640), sizeof back, &tickets[2]); }));
  ASSERT_TRUE(patiently([&] {
    return near().post_amo(at(648), {.op = AmoOp::swap, .value = 5}, &old, &tickets[3]);
  }));
  wait([&] { return near().progress(), tickets[2].settled() && tickets[3].settled(); });
  EXPECT_EQ(back, 77u);
  EXPECT_EQ(old, 0u);
  EXPECT_EQ(load_acquire(far_word(648)), 5u);
  for (const Ticket& ticket : tickets) {
    EXPECT_TRUE(ticket.done());
  }
}

TEST_P(TransportContract, AmosWithoutATicketAreCompleteAtQuiet) {
  uint64_t olds[16];
  for (uint64_t i = 0; i < 16; ++i) {
    ASSERT_TRUE(patiently([&] {
      return near().post_amo(at(656), {.op = AmoOp::add, .value = 1}, &olds[i], nullptr);
    }));
    ASSERT_TRUE(patiently([&] {
      return near().post_amo(at(664), {.op = AmoOp::add, .value = 2}, nullptr, nullptr);
    }));
  }
  ASSERT_TRUE(quiet());
  EXPECT_EQ(load_acquire(far_word(656)), 16u);
  EXPECT_EQ(load_acquire(far_word(664)), 32u);
  std::sort(olds, olds + 16);
  for (uint64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(olds[i], i);
  }
}

TEST_P(TransportContract, ContextsReachTheSamePeersWithAQuietOfTheirOwn) {
  auto context = near().open_context();
  ASSERT_TRUE(context) << error_text::newest();
  const uint64_t value = 99;
  ASSERT_TRUE(transport::put(**context, at(672), &value, sizeof value, wait));
  ASSERT_TRUE(transport::quiet(**context, kPeer, wait));
  EXPECT_EQ(load_acquire(far_word(672)), 99u);
  EXPECT_EQ(transport::amo(**context, at(672), {.op = AmoOp::add, .value = 1}, wait).value(), 99u);
  uint64_t back = 0;
  ASSERT_TRUE(get(&back, at(672), sizeof back));
  EXPECT_EQ(back, 100u);
}

TEST_P(TransportContract, QuietNamesAPeerThatItDoesNotKnow) {
  EXPECT_EQ(near().post_quiet(kPeer + 1, nullptr).error().code, Errc::not_found);
  EXPECT_NE(error_text::newest().find(std::to_string(kPeer + 1)), std::string::npos);
}

TEST_P(TransportContract, ConnectRefusesARegionItCannotReach) {
  const PeerRegion nowhere{.id = 9, .bytes = 4096};
  auto result = near().connect(2, "", {&nowhere, 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_supported);
  EXPECT_NE(error_text::newest().find("region 9"), std::string::npos);
}

}  // namespace canopy::transport
