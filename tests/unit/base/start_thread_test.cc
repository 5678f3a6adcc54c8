#include "runtime/base/start_thread.h"

#include "tests/unit/base/thread_limit.h"

#include <gtest/gtest.h>

#include <thread>

namespace canopy {
namespace {

using test::ThreadLimit;

bool blocks(int signal) {
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return ::sigismember(&now, signal) == 1;
}

TEST(StartThread, ItTakesNoSignalsButThoseNamed) {
  bool takes_other = true;
  bool takes_named = false;
  std::thread thread;
  ASSERT_TRUE(start_thread(
      &thread, "a test",
      [&] {
        takes_other = !blocks(SIGUSR1);
        takes_named = !blocks(SIGUSR2);
      },
      std::initializer_list<int>{SIGUSR2}));
  thread.join();
  EXPECT_FALSE(takes_other);
  EXPECT_TRUE(takes_named);
  EXPECT_FALSE(blocks(SIGUSR1));
}

TEST(StartThread, AJoinableThreadHearsThatItIsToStop) {
  std::jthread thread;
  ASSERT_TRUE(start_thread(&thread, "a test", [](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::yield();
    }
  }));
}

TEST(StartThread, WithoutThreadsItIsAnErrorThatNamesTheLimits) {
  ThreadLimit::refuse_from(1);
  std::jthread thread;
  bool ran = false;
  const auto started = start_thread(&thread, "the watch of a test", [&] { ran = true; });
  ThreadLimit::lift();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::limit);
  EXPECT_EQ(started.error().native, EAGAIN);
  const std::string sentence = error_text::take_newest();
  EXPECT_EQ(sentence.find("no thread for the watch of a test: RLIMIT_NPROC is "), 0u) << sentence;
  EXPECT_NE(sentence.find("RLIMIT_AS is "), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("(Resource temporarily unavailable)"), std::string::npos) << sentence;
  EXPECT_FALSE(thread.joinable());
  EXPECT_FALSE(ran);
  EXPECT_FALSE(blocks(SIGUSR1));
  EXPECT_TRUE(start_thread(&thread, "a test", [] {}));
}

}  // namespace
}  // namespace canopy
