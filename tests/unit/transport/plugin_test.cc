// A network plugin that does not go with the library is refused before anything of it is called.
#include "transport/base/plugin.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace canopy::transport {
namespace {

class PluginTest : public ::testing::Test {
 protected:
  ~PluginTest() override { ::unsetenv("CANOPY_OFI_PLUGIN"); }
  // What opening the plugin at `path` says.
  static std::string told_of(const std::string& path) {
    ::setenv("CANOPY_OFI_PLUGIN", path.c_str(), 1);
    const auto opened = open_network_plugin({});
    EXPECT_FALSE(opened);
    EXPECT_EQ(opened ? Errc::ok : opened.error().code, Errc::not_supported);
    return error_text::take_newest();
  }
};

TEST_F(PluginTest, OfAnotherBuildItIsRefusedWithBothNames) {
  const std::string told = told_of(TEST_OTHER_BUILD);
  EXPECT_NE(told.find(TEST_OTHER_BUILD), std::string::npos) << told;
  EXPECT_NE(told.find("it is 0.0.0-another"), std::string::npos) << told;
  EXPECT_NE(told.find(std::string(plugin_build()) + " is wanted"), std::string::npos) << told;
}

TEST_F(PluginTest, OfAnEarlierTableItIsRefusedWithBothVersions) {
  const std::string told = told_of(TEST_EARLIER_TABLE);
  EXPECT_NE(told.find(TEST_EARLIER_TABLE), std::string::npos) << told;
  EXPECT_NE(told.find(fmt::format("version 1, {} is wanted", kPluginVersion)), std::string::npos) << told;
}

TEST_F(PluginTest, WhatIsNoPluginIsNamed) {
  EXPECT_NE(told_of("/nonexistent/libcanopy_ofi.so").find("/nonexistent/libcanopy_ofi.so"), std::string::npos);
}

TEST_F(PluginTest, TheBuildHasANameOfItsSources) {
  const std::string build = plugin_build();
  EXPECT_GT(build.size(), 20u) << build;
  EXPECT_NE(build.find('-'), std::string::npos) << build;
}

}  // namespace
}  // namespace canopy::transport
