#include "runtime/base/signals_blocked.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

namespace canopy {
namespace {

bool blocks(int signal) {
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return ::sigismember(&now, signal) == 1;
}

TEST(SignalsBlocked, InItsScopeAndInThreadsStartedThere) {
  EXPECT_FALSE(blocks(SIGUSR1));
  bool in_thread = false;
  {
    SignalsBlocked blocked;
    EXPECT_TRUE(blocks(SIGUSR1));
    EXPECT_TRUE(blocks(SIGINT));
    std::jthread([&] { in_thread = blocks(SIGUSR1); });
  }
  EXPECT_TRUE(in_thread);
  EXPECT_FALSE(blocks(SIGUSR1));
}

TEST(SignalsBlocked, ButThoseNamedOpenEvenIfTheCallerBlocksThem) {
  SignalsBlocked outer;
  {
    const SignalsBlocked inner({SIGUSR1, SIGSYS});
    EXPECT_FALSE(blocks(SIGUSR1));
    EXPECT_FALSE(blocks(SIGSYS));
    EXPECT_TRUE(blocks(SIGUSR2));
  }
  EXPECT_TRUE(blocks(SIGUSR1)) << "the caller's mask is back";
}

TEST(SignalsBlocked, AnExceptionGivesTheMaskBack) {
  try {
    SignalsBlocked blocked;
    throw std::runtime_error("no more threads");
  } catch (const std::runtime_error&) {
  }
  EXPECT_FALSE(blocks(SIGUSR1));
}

}  // namespace
}  // namespace canopy
