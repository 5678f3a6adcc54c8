// Bootstrap::create() decides by the environment alone, so these tests set it.
#include "launcher/bootstrap/bootstrap.h"

#include <gtest/gtest.h>

#include <cstdlib>

// Read by LeakSanitizer where it is linked in: a failing PMIx_Init of libpmix 4.2 leaks a few
// bytes.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpmix\n"; }

namespace canopy {
namespace {

class BootstrapCreate : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"CANOPY_BOOTSTRAP", "PMIX_NAMESPACE", "PMIX_RANK", "PMI_SIZE",
                             "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"}) {
      ::unsetenv(name);
    }
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
};

TEST_F(BootstrapCreate, WithoutALauncherItIsAJobOfOne) {
  auto job = Bootstrap::create();
  ASSERT_TRUE(job);
  EXPECT_EQ((*job)->kind(), "single");
}

TEST_F(BootstrapCreate, ALauncherThatDoesNotAnswerIsAnErrorAndNotAJobOfOne) {
  set("PMIX_NAMESPACE", "nobody");
  set("PMIX_RANK", "0");
  auto job = Bootstrap::create();
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().code, Errc::io);
  EXPECT_NE(error_text::newest().find("PMIX_NAMESPACE=nobody"), std::string::npos)
      << error_text::newest();
}

TEST_F(BootstrapCreate, TheUserCanAskForAJobOfOneUnderALauncher) {
  set("PMIX_NAMESPACE", "nobody");
  set("PMIX_RANK", "0");
  set("CANOPY_BOOTSTRAP", "single");
  auto job = Bootstrap::create();
  ASSERT_TRUE(job);
  EXPECT_EQ((*job)->kind(), "single");
}

TEST_F(BootstrapCreate, PmixOnRequestFailsWithoutALauncher) {
  set("CANOPY_BOOTSTRAP", "pmix");
  EXPECT_EQ(Bootstrap::create().error().code, Errc::io);
}

TEST_F(BootstrapCreate, AnUnknownKindIsNamed) {
  set("CANOPY_BOOTSTRAP", "carrier-pigeon");
  EXPECT_EQ(Bootstrap::create().error().code, Errc::invalid_argument);
  EXPECT_EQ(error_text::newest(), "CANOPY_BOOTSTRAP=carrier-pigeon is neither pmix nor single");
}

TEST_F(BootstrapCreate, ALauncherWithoutPmixIsRefusedRatherThanSplitIntoJobsOfOne) {
  set("PMI_SIZE", "4");
  EXPECT_EQ(Bootstrap::create().error().code, Errc::not_supported);
  set("PMI_SIZE", "1");
  EXPECT_TRUE(Bootstrap::create());
}

}  // namespace
}  // namespace canopy
