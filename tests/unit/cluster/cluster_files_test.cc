// The lock and the files of a cluster.
#include "launcher/cluster/cluster_files.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace canopy::cluster {
namespace {

// A cluster of this test's own, claimed; skips where this user has no place for clusters.
class ClusterFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    lock_ = std::move(files_.claim().value_or(UniqueFd()));
    if (!lock_) {
      GTEST_SKIP() << error_text::newest();
    }
  }
  void TearDown() override { (void)files_.remove_all(); }

  bool is_listed() const {
    const auto names = ClusterFiles::living();
    return std::find(names.begin(), names.end(), files_.name()) != names.end();
  }

  ClusterFiles files_ = ClusterFiles::of(fmt::format("unit-{}", getpid())).value();
  UniqueFd lock_;
};

TEST_F(ClusterFilesTest, IsUpForAsLongAsTheLockIsHeld) {
  EXPECT_TRUE(files_.is_up());
  EXPECT_TRUE(is_listed());
  UniqueFd copy(dup(lock_.get()));  // as a child inherits it
  lock_.reset();
  EXPECT_TRUE(files_.is_up());
  copy.reset();
  EXPECT_FALSE(files_.is_up());
  EXPECT_FALSE(is_listed());
}

TEST_F(ClusterFilesTest, CannotBeClaimedTwice) {
  const auto second = files_.claim();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
}

TEST_F(ClusterFilesTest, LeftoversOfADeadClusterAreClearedByTheNext) {
  ASSERT_TRUE(files_.write("h1.dead", "9"));
  lock_.reset();
  const auto again = files_.claim();
  ASSERT_TRUE(again) << error_text::newest();
  EXPECT_FALSE(files_.read("h1.dead"));
}

TEST_F(ClusterFilesTest, StateIsReadAsItWasWritten) {
  EXPECT_EQ(files_.read_state().error().code, Errc::not_ready);
  ASSERT_TRUE(files_.write_state({{3, 2}, 1234, 4026531836, {2, 3, 4}}));
  const auto state = files_.read_state();
  ASSERT_TRUE(state) << error_text::newest();
  EXPECT_EQ(state->layout.hosts, 3);
  EXPECT_EQ(state->layout.rails, 2);
  EXPECT_EQ(state->head, 1234);
  EXPECT_EQ(state->head_pid_ns, 4026531836u);
  EXPECT_EQ(state->first, (std::vector<pid_t>{2, 3, 4}));
}

TEST_F(ClusterFilesTest, DamagedStateIsAnError) {
  for (const char* text : {"", "{", "{}", R"({"hosts":"two"})",
                           R"({"hosts":2,"rails":1,"head":1,"head_pid_ns":1,"first":[7]})"}) {
    ASSERT_TRUE(files_.write("state.json", text));
    const auto state = files_.read_state();
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code, Errc::parse) << text;
  }
}

TEST_F(ClusterFilesTest, StateOfADeadClusterIsNotFound) {
  ASSERT_TRUE(files_.write_state({{1, 1}, 1, 1, {2}}));
  lock_.reset();
  EXPECT_EQ(files_.read_state().error().code, Errc::not_found);
}

TEST_F(ClusterFilesTest, FactsComeAndGo) {
  EXPECT_FALSE(files_.read("h0.0.rate"));
  ASSERT_TRUE(files_.write("h0.0.rate", "1mbit"));
  EXPECT_EQ(files_.read("h0.0.rate"), "1mbit");
  files_.forget("h0.0.rate");
  EXPECT_FALSE(files_.read("h0.0.rate"));
}

TEST(ClusterNames, WhatCannotBeAFileIsRefused) {
  for (const char* name : {"", ".", "..", "a/b", "../x", ".hidden", "with blank", "a\nb"}) {
    const auto files = ClusterFiles::of(name);
    ASSERT_FALSE(files) << name;
    EXPECT_EQ(files.error().code, Errc::invalid_argument);
  }
  EXPECT_FALSE(ClusterFiles::of(std::string(65, 'a')));
  EXPECT_TRUE(ClusterFiles::of(std::string(64, 'a')));
}

}  // namespace
}  // namespace canopy::cluster
