// Versions and attributes of the build.
#include "tests/unit/api/gate.h"

#include <cstring>
#include <set>
#include <string>

namespace canopy::test {
namespace {

std::string version_of(const char* package) {
  std::string name = package;
  char text[128] = "";
  EXPECT_EQ(aclsysGetVersionStr(name.data(), text), ACL_SUCCESS) << why();
  return text;
}

TEST(Version, IsTheProjects) {
  EXPECT_EQ(version_of("cann"), PROJECT_VERSION);
  EXPECT_EQ(version_of("runtime"), PROJECT_VERSION);
  EXPECT_EQ(version_of("driver"), PROJECT_VERSION);
}

TEST(Version, AsANumberHasTwoDigitsAPart) {
  char name[] = "runtime";
  int32_t number = 0;
  ACL_OK(aclsysGetVersionNum(name, &number));
  int major = 0;
  int minor = 0;
  int patch = 0;
  ASSERT_EQ(std::sscanf(PROJECT_VERSION, "%d.%d.%d", &major, &minor, &patch), 3);
  EXPECT_EQ(number / 10'000'000, major);
  EXPECT_EQ(number / 100'000 % 100, minor);
  EXPECT_EQ(number / 1000 % 100, patch);
  EXPECT_EQ(number % 1000, 900) << "a release";
}

TEST(Version, OfAPackageThatIsNotHereIs107000) {
  char text[128] = "untouched";
  int32_t number = 7;
  for (std::string name : {"", "hccl", "RUNTIME", "runtime "}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclsysGetVersionStr(name.data(), text));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclsysGetVersionNum(name.data(), &number));
  }
  aclCANNPackageVersion version;
  for (int package : {2, 3, 4, 5, 6, 8, -1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclsysGetCANNVersion(static_cast<aclCANNPackageName>(package), &version));
  }
  EXPECT_STREQ(text, "untouched");
  EXPECT_EQ(number, 7);
}

TEST(Version, ComesInParts) {
  for (auto package : {ACL_PKG_NAME_CANN, ACL_PKG_NAME_RUNTIME, ACL_PKG_NAME_DRIVER}) {
    aclCANNPackageVersion version;
    std::memset(&version, 'x', sizeof version);
    ACL_OK(aclsysGetCANNVersion(package, &version));
    EXPECT_STREQ(version.version, PROJECT_VERSION);
    EXPECT_EQ(std::string(version.majorVersion) + "." + version.minorVersion + "." +
                  version.releaseVersion,
              PROJECT_VERSION);
    EXPECT_STREQ(version.patchVersion, "");
  }
}

TEST(Version, OfTheInterfaceIsThatOfItsMacros) {
  int32_t major = 0;
  int32_t minor = 0;
  int32_t patch = -1;
  ACL_OK(aclrtGetVersion(&major, &minor, &patch));
  EXPECT_EQ(major, ACL_MAJOR_VERSION);
  EXPECT_EQ(minor, ACL_MINOR_VERSION);
  EXPECT_EQ(patch, ACL_PATCH_VERSION);
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetVersion(nullptr, &minor, &patch));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetVersion(&major, nullptr, &patch));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetVersion(&major, &minor, nullptr));
}

TEST(Version, RefusesNull) {
  char name[] = "runtime";
  char text[128];
  int32_t number = 0;
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclsysGetVersionStr(nullptr, text));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclsysGetVersionStr(name, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclsysGetVersionNum(nullptr, &number));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclsysGetVersionNum(name, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclsysGetCANNVersion(ACL_PKG_NAME_CANN, nullptr));
}

TEST(CannAttribute, TheListHoldsThoseThatAreSupported) {
  const aclCannAttr* list = nullptr;
  size_t count = 0;
  ACL_OK(aclGetCannAttributeList(&list, &count));
  const std::set<aclCannAttr> supported(list, list + count);
  EXPECT_EQ(supported.size(), count);
  for (auto attribute : {ACL_CANN_ATTR_INF_NAN, ACL_CANN_ATTR_BF16, ACL_CANN_ATTR_JIT_COMPILE}) {
    int32_t value = -1;
    ACL_OK(aclGetCannAttribute(attribute, &value));
    EXPECT_EQ(value, supported.count(attribute) != 0 ? 1 : 0) << attribute;
  }
  EXPECT_EQ(supported.count(ACL_CANN_ATTR_INF_NAN), 1u);
}

TEST(CannAttribute, ThatDoesNotExistIs107000) {
  int32_t value = 7;
  for (int attribute : {-1, 3, 1000}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclGetCannAttribute(static_cast<aclCannAttr>(attribute), &value));
  }
  EXPECT_EQ(value, 7);
  const aclCannAttr* list = nullptr;
  size_t count = 0;
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclGetCannAttribute(ACL_CANN_ATTR_BF16, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclGetCannAttributeList(nullptr, &count));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclGetCannAttributeList(&list, nullptr));
}

}  // namespace
}  // namespace canopy::test
