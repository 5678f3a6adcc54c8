// Fixture of the tests of kernels that fail: a stream, the faulty kernels, and what they count.
#pragma once

#include "tests/unit/api/faulty_kernels.h"
#include "tests/unit/api/gate.h"

#include <string>

namespace canopy::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kHandlersRunLate = true;
#else
inline constexpr bool kHandlersRunLate = false;
#endif

class Faults : public AclTest {
 protected:
  void SetUp() override {
    if (kHandlersRunLate) {
      GTEST_SKIP() << "ThreadSanitizer runs handlers of signals late, from inside its own functions: blocks cannot be "
                      "taken out of their code";
    }
    AclTest::SetUp();
    began_ = true;
    ACL_OK(aclrtBinaryLoadFromFile(TEST_FAULTY_KERNELS, nullptr, &binary_));
    ACL_OK(aclrtCreateStream(&stream_));
  }

  void TearDown() override {
    if (began_) {
      AclTest::TearDown();
    }
  }

  aclrtFuncHandle function(const char* kernel = "faulty_vector") {
    aclrtFuncHandle handle = nullptr;
    EXPECT_EQ(aclrtBinaryGetFunction(binary_, kernel, &handle), ACL_SUCCESS) << why();
    return handle;
  }
  aclError launch(FaultArgs args, uint32_t blocks, aclrtStream stream, const char* kernel = "faulty_vector",
                  aclrtLaunchKernelCfg* config = nullptr) {
    args.word = &word_;
    args.started = &started_;
    args.ended = &ended_;
    args.thread_main = [](void*) -> void* { return nullptr; };
    return aclrtLaunchKernelWithHostArgs(function(kernel), blocks, stream, config, &args, sizeof args, nullptr, 0);
  }
  aclError launch(Wrong wrong, uint32_t blocks = 1) { return launch({.wrong = wrong}, blocks, stream_); }
  // Ends what kernels left undone, and sees that `count` launches in a row work.
  void expect_launches_work(int count = 1'000, uint32_t blocks = 1) {
    started_ = 0;
    ended_ = 0;
    for (int i = 0; i < count; ++i) {
      ACL_OK(launch(Wrong::nothing, blocks));
    }
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(ended_.load(), static_cast<uint32_t>(count) * blocks);
  }

  bool began_ = false;  // else the test is left out
  aclrtBinHandle binary_ = nullptr;
  aclrtStream stream_ = nullptr;
  std::atomic<uint32_t> word_{0};
  std::atomic<uint32_t> started_{0};
  std::atomic<uint32_t> ended_{0};
};

}  // namespace canopy::test
