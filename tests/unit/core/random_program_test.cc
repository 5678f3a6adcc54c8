// Random programs against their model, and side shows beside them. CANOPY_TEST_SEED=N runs program
// N alone, as a failure tells; CANOPY_TEST_PROGRAMS=N runs N of them.
#include "tests/unit/core/random_program.h"
#include "runtime/base/env.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

namespace canopy::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kPrograms = 60;
#else
constexpr uint64_t kPrograms = 10'000;
#endif

uint64_t programs() {
  return static_cast<uint64_t>(env::integer("CANOPY_TEST_PROGRAMS").value_or(kPrograms));
}

// Tens of thousands of kernels fail, each with its sentence. Sanitizers' reports have to be seen.
void quieten() {
  if (kPrograms > 1'000) {
    ASSERT_NE(std::freopen("/dev/null", "w", stderr), nullptr);
  }
}

// Serves the callbacks of streams of device 0 until the end of the test.
class ReportThread {
 public:
  ReportThread()
      : thread_([this] {
          while (!over_.load(std::memory_order_acquire)) {
            (void)aclrtProcessReport(100);
          }
        }) {}
  ~ReportThread() {
    over_.store(true, std::memory_order_release);  // pairs with the loop above
    thread_.join();
  }
  uint64_t id() { return thread_.native_handle(); }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

class RandomPrograms : public testing::Test {
 protected:
  static void SetUpTestSuite() { quieten(); }
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    for (int device : {1, 0}) {
      ASSERT_EQ(aclrtSetDevice(device), ACL_SUCCESS);
      ASSERT_EQ(aclrtDeviceEnablePeerAccess(1 - device, 0), ACL_SUCCESS);
      aclrtMemPoolProps props{};
      props.location = {static_cast<uint32_t>(device), ACL_MEM_LOCATION_TYPE_DEVICE};
      props.maxSize = kPoolBytes;
      aclrtMemPool& pool = around_.pools[static_cast<size_t>(device)];
      ASSERT_EQ(aclrtMemPoolCreate(&pool, &props), ACL_SUCCESS);
      uint32_t on = 1;
      ASSERT_EQ(aclrtMemPoolSetAttr(pool, ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, &on),
                ACL_SUCCESS);
    }
    around_.report_thread = reports_.id();
    // So that the thread always serves somebody.
    ASSERT_EQ(aclrtCreateStream(&anchor_), ACL_SUCCESS);
    ASSERT_EQ(aclrtSubscribeReport(reports_.id(), anchor_), ACL_SUCCESS);
  }
  void TearDown() override { EXPECT_EQ(aclFinalize(), ACL_SUCCESS); }

  ReportThread reports_;
  Surroundings around_{};
  aclrtStream anchor_ = nullptr;
};

TEST_F(RandomPrograms, AgreeWithTheSequentialModel) {
  const auto alone = env::integer("CANOPY_TEST_SEED");
  const uint64_t first = alone ? static_cast<uint64_t>(*alone) : 1;
  const uint64_t last = alone ? first : programs();
  for (uint64_t seed = first; seed <= last; ++seed) {
    RandomProgram program(seed, around_);
    const std::string wrong = program.run(200 + static_cast<uint32_t>(seed % 7) * 10);
    ASSERT_EQ(wrong, "") << "CANOPY_TEST_SEED=" << seed;
  }
}

// On the same devices, with the same pools and the same report thread.
TEST_F(RandomPrograms, OfTwoThreadsAgreeAsWell) {
  const uint64_t count = std::max<uint64_t>(programs() / 50, 20);
  const auto run = [&](uint64_t first, std::string* wrong) {
    for (uint64_t seed = first; seed < first + count && wrong->empty(); ++seed) {
      *wrong = RandomProgram(seed, around_).run(200);
      if (!wrong->empty()) {
        *wrong += fmt::format(" CANOPY_TEST_SEED={} beside another thread", seed);
      }
    }
  };
  std::string here;
  std::string there;
  std::thread other(run, 2'000'000, &there);
  run(3'000'000, &here);
  other.join();
  EXPECT_EQ(here, "");
  EXPECT_EQ(there, "");
}

TEST_F(RandomPrograms, OfThousandsOfTasksAgreeAsWell) {
  for (uint64_t seed = 1'000'001; seed <= 1'000'003; ++seed) {
    RandomProgram program(seed, around_);
    ASSERT_EQ(program.run(6'000), "") << "CANOPY_TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace canopy::test
