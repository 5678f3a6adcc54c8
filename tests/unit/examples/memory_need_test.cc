#include "examples/allgather_matmul/memory_need.h"

#include <gtest/gtest.h>

namespace agmm {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

std::string sentence(const Fallible<void>& result) { return result ? "fits" : result.error(); }

TEST(MemoryNeed, HoldsAllMatricesAndIsAMultipleOfTheHeapStep) {
  const auto need = memory_need({1797, 64, 1797, 4, 128});
  ASSERT_TRUE(need) << need.error();
  EXPECT_EQ(need->heap % (2 * kMiB), 0u);
  EXPECT_GE(need->heap, 4u * (1797 * 64 + 1797 * 450));
  EXPECT_GE(need->private_hbm, 4u * 64 * 450);
  EXPECT_GE(need->host, 4u * (64 * 450 + 1797 * 450));
}

TEST(MemoryNeed, SizesBeyond64BitsAreASentence) {
  const uint64_t huge = uint64_t{1} << 40;
  for (const Partition& part :
       {Partition{huge, huge, 1, 1, 1}, Partition{1, huge, huge, 2, 1},
        Partition{huge, 1, huge, 4, 1}, Partition{huge, huge, huge, 8, 1}}) {
    const auto need = memory_need(part);
    ASSERT_FALSE(need);
    EXPECT_NE(need.error().find("overflow 64 bits"), std::string::npos);
  }
}

TEST(MemoryNeed, EachLimitIsNamedWithTheNeed) {
  MemoryNeed need;
  need.heap = 100 * kMiB;
  need.private_hbm = 20 * kMiB;
  need.host = 30 * kMiB;
  EXPECT_EQ(sentence(check_memory(need, {240 * kMiB, 2, 600 * kMiB, 4})), "fits");
  EXPECT_EQ(sentence(check_memory(need, {239 * kMiB, 2, 600 * kMiB, 4})),
            "too little memory: each rank needs 120.0 MiB of HBM, the NPU has 239.0 MiB free for 2 "
            "rank(s)");
  EXPECT_EQ(
      sentence(check_memory(need, {240 * kMiB, 2, 599 * kMiB, 4})),
      "too little memory: each rank needs 150.0 MiB, the host has 599.0 MiB free for 4 rank(s)");
  need.heap = 41 * 1024 * kMiB;
  EXPECT_NE(
      sentence(check_memory(need, {1u << 31, 1, 1u << 31, 1})).find("limit of a heap is 40960.0"),
      std::string::npos);
}

TEST(MemoryNeed, TheHostHasSomeMemory) {
  EXPECT_GT(available_host_memory(), kMiB);
  EXPECT_LT(available_host_memory(), uint64_t{1} << 60);
}

}  // namespace
}  // namespace agmm
