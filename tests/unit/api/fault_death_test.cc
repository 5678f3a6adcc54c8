// Faults that are not a kernel's own: they end the process, or go to the handlers that the program had.
#include "tests/unit/api/faults.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace canopy::test {
namespace {

// Installed before the runtime's handlers are.
const bool g_installed = [] {
  struct sigaction own {};
  own.sa_handler = [](int) {
    constexpr char kText[] = "the program's own handler\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
    ::_exit(3);
  };
  return ::sigaction(SIGBUS, &own, nullptr) == 0;
}();

class FaultDeath : public Faults {
 protected:
  void SetUp() override {
    // The process has threads: the child starts anew.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    Faults::SetUp();
  }
};

TEST_F(FaultDeath, InsideOfLibcEndsTheProcessWithASentence) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizer: printf is its own function and ends the process with its own report";
  }
  EXPECT_DEATH(
      {
        static_cast<void>(launch(Wrong::print_null_in_libc));
        static_cast<void>(aclrtSynchronizeStream(stream_));
      },
      "kernel faulty_vector block 0: signal 11 at 0x[0-9a-f]+ \\(in .*libc.*\\), which is not the kernel's own code: "
      "the process ends");
}

TEST_F(FaultDeath, OutsideOfKernelsGoesToTheHandlerThatWasThereBefore) {
  ASSERT_TRUE(g_installed);
  EXPECT_EXIT(::raise(SIGBUS), testing::ExitedWithCode(3), "the program's own handler");
}

TEST_F(FaultDeath, OutsideOfKernelsEndsTheProcessIfNoHandlerWasThere) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizer: it has a handler of its own";
  }
  EXPECT_EXIT(::raise(SIGFPE), testing::KilledBySignal(SIGFPE), "");
}

// They run on a thread of the runtime, which would be lost in the middle of a task.
TEST_F(FaultDeath, AHostFunctionThatDoesNotReturnEndsTheProcessWithASentence) {
  const auto run = [&](aclrtHostFunc function) {
    static_cast<void>(aclrtLaunchHostFunc(stream_, function, nullptr));
    static_cast<void>(aclrtSynchronizeStream(stream_));
  };
  EXPECT_DEATH(run([](void*) { ::pthread_exit(nullptr); }), "aclrtLaunchHostFunc has ended its thread.* must return");
  EXPECT_DEATH(run([](void*) { throw std::runtime_error("no"); }), "aclrtLaunchHostFunc has thrown an exception: no;");
  const auto fail = [&](aclrtExceptionInfoCallback callback) {
    static_cast<void>(aclrtExceptionInfoCallbackRegister(callback));
    static_cast<void>(launch(Wrong::write_null));
    static_cast<void>(aclrtSynchronizeStream(stream_));
  };
  EXPECT_DEATH(fail([](aclrtExceptionInfo*) { ::pthread_exit(nullptr); }), "an exception callback has ended its thread.* must return");
  EXPECT_DEATH(fail([](aclrtExceptionInfo*) { throw 1; }), "an exception callback has ended its thread, or thrown what is no std::exc");
}

}  // namespace
}  // namespace canopy::test
