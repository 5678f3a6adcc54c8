#include "examples/allgather_matmul/timeline.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace agmm {
namespace {

std::string timeline_path() { return testing::TempDir() + fmt::format("agmm_{}.json", getpid()); }

TEST(Timeline, JoinsThePartsOfAllRanksAndRemovesThem) {
  const std::string path = timeline_path();
  std::ofstream(timeline_part(path, 0)) << R"([{"name": "push", "pid": 0}])";
  std::ofstream(timeline_part(path, 1)) << R"([{"name": "a", "pid": 1}, {"name": "b", "pid": 1}])";
  auto events = join_timeline(path, 2);
  ASSERT_TRUE(events) << events.error();
  EXPECT_EQ(*events, 3u);
  std::ifstream in(path);
  const auto joined = nlohmann::json::parse(in);
  EXPECT_EQ(joined[2]["name"], "b");
  EXPECT_FALSE(std::filesystem::exists(timeline_part(path, 0)));
  EXPECT_FALSE(std::filesystem::exists(timeline_part(path, 1)));
  std::filesystem::remove(path);
}

TEST(Timeline, AMissingOrMalformedPartIsASentence) {
  const std::string path = timeline_path();
  std::ofstream(timeline_part(path, 0)) << "[{";
  auto events = join_timeline(path, 1);
  ASSERT_FALSE(events);
  EXPECT_NE(events.error().find("is no array of trace events"), std::string::npos);
  events = join_timeline(path, 1);
  ASSERT_FALSE(events);
  EXPECT_NE(events.error().find("cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace agmm
