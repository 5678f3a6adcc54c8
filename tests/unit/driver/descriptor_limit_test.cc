// Programs with more memory than descriptors.
#include "runtime/base/descriptor_limit.h"

#include "tests/multi/sharing/site.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <sys/resource.h>

#include <cstdio>
#include <vector>

namespace canopy {
namespace {

using namespace test;

constexpr rlim_t kFew = 64;
constexpr rlim_t kMore = 1024;
constexpr uint64_t kWanted = 200;

void limit_descriptors(rlim_t soft, rlim_t hard) {
  const rlimit files{soft, hard};
  ::setrlimit(RLIMIT_NOFILE, &files);
}

rlim_t soft_limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

class DescriptorLimit : public testing::Test {
 protected:
  // How many imports of one memory another process can hold, and why no more.
  static std::string imports_with(rlim_t soft, rlim_t hard) {
    const PrivateTable path;
    ChildProcess importer([&](Line& line) {
      limit_descriptors(soft, hard);
      Site site;
      uint64_t id = 0;
      std::sscanf(line.hear().c_str(), "%lu", &id);
      std::vector<Import> held;
      Errc code{};
      while (held.size() < kWanted) {
        auto got = site.sharing->import(ObjectKind::memory, {id, {}});
        if (!got) {
          code = got.error().code;
          break;
        }
        held.push_back(std::move(*got));
      }
      line.say(fmt::format("{} {} {}", held.size(), static_cast<int>(code), soft_limit()));
      line.hear();
    });
    Site site;
    auto object = stamped_memory(*site.table, 7);
    const auto id = site.sharing->share(std::move(*object));
    importer.line().say(std::to_string(*id));
    const std::string outcome = importer.line().hear();
    // What a refused import gives back is on its way.
    EXPECT_TRUE(soon([&] { return std::to_string(site.sharing->importers(*id)) == outcome.substr(0, outcome.find(' ')); },
                     std::chrono::seconds(5)))
        << "no lease without an import: " << site.sharing->importers(*id) << " of " << outcome;
    return outcome;
  }
};

TEST_F(DescriptorLimit, AllocationsRaiseTheSoftOneWhenTheyMust) {
  ChildProcess child([](Line& line) {
    limit_descriptors(kFew, kMore);
    std::vector<UniqueFd> files;
    while (files.size() < kWanted) {
      auto made = sealed_memfd("limit-test", 4096);
      if (!made) {
        line.say(error_text::newest());
        return;
      }
      files.push_back(std::move(*made));
      if (files.size() == 8 && soft_limit() != kFew) {
        line.say("raised before that was needed");
      }
    }
    line.say(fmt::format("made, {}", soft_limit()));
  });
  EXPECT_EQ(child.line().hear(), fmt::format("made, {}", kMore));
}

TEST_F(DescriptorLimit, ImportsRaiseTheSoftOneWhenTheyMust) {
  EXPECT_EQ(imports_with(kFew, kMore), fmt::format("{} 0 {}", kWanted, kMore));
}

TEST_F(DescriptorLimit, ImportsPastTheHardOneAreRefusedAndLeaveNoLease) {
  uint64_t held = 0;
  int code = 0;
  const std::string outcome = imports_with(kFew, kFew);
  ASSERT_EQ(std::sscanf(outcome.c_str(), "%lu %d", &held, &code), 2) << outcome;
  EXPECT_GT(held, kFew / 2);
  EXPECT_LT(held, kFew);
  EXPECT_EQ(static_cast<Errc>(code), Errc::limit);
}

}  // namespace
}  // namespace canopy
