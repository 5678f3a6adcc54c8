// acl_rt.h: versions, and what this build can do. All of it is known when it is compiled.
#include "runtime/api/guard.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;

namespace {

constexpr std::array<int, 3> kVersion = {CANOPY_VERSION_NUMBERS};
constexpr int kReleased = 900;  // alpha n: n, beta n: 200 + n, rc n: 400 + n

std::string version_text() {
  return fmt::format("{}.{}.{}", kVersion[0], kVersion[1], kVersion[2]);
}

// One library is all of them.
constexpr std::string_view kPackages[] = {"cann", "runtime", "driver"};

Result<> check_package(const char* function, std::string_view name) {
  if (std::ranges::find(kPackages, name) == std::end(kPackages)) {
    return fail(Errc::invalid_argument, "{}: there is no package '{}' here; there are: {}",
                function, name, fmt::join(kPackages, ", "));
  }
  return {};
}

constexpr const char* name_of(aclCANNPackageName name) {
  switch (name) {
    case ACL_PKG_NAME_CANN:
      return "cann";
    case ACL_PKG_NAME_RUNTIME:
      return "runtime";
    case ACL_PKG_NAME_DRIVER:
      return "driver";
    case ACL_PKG_NAME_COMPILER:
      return "compiler";
    case ACL_PKG_NAME_HCCL:
      return "hccl";
    case ACL_PKG_NAME_TOOLKIT:
      return "toolkit";
    case ACL_PKG_NAME_OPP:
      return "opp";
    case ACL_PKG_NAME_OPP_KERNEL:
      return "opp_kernel";
  }
  return "?";
}

// The arrays of the struct were made for longer texts than ours.
template <size_t N>
void put(char (&field)[N], const std::string& text) {
  std::fill(std::copy_n(text.begin(), std::min(text.size(), N - 1), field), field + N, '\0');
}

// Arithmetic is IEEE's; kernels and copies know no bfloat16; operators are not compiled at all.
constexpr aclCannAttr kSupported[] = {ACL_CANN_ATTR_INF_NAN};

}  // namespace

extern "C" {

aclError aclsysGetVersionStr(char* pkgName, char* versionStr) {
  CANOPY_ACL_NOT_NULL(pkgName);
  CANOPY_ACL_NOT_NULL(versionStr);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_package("aclsysGetVersionStr", pkgName));
    const std::string text = version_text();
    std::copy_n(text.c_str(), text.size() + 1, versionStr);
    return {};
  });
}

aclError aclsysGetVersionNum(char* pkgName, int32_t* versionNum) {
  CANOPY_ACL_NOT_NULL(pkgName);
  CANOPY_ACL_NOT_NULL(versionNum);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_package("aclsysGetVersionNum", pkgName));
    *versionNum = ((kVersion[0] * 100 + kVersion[1]) * 100 + kVersion[2]) * 1000 + kReleased;
    return {};
  });
}

aclError aclsysGetCANNVersion(aclCANNPackageName name, aclCANNPackageVersion* version) {
  CANOPY_ACL_NOT_NULL(version);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_package("aclsysGetCANNVersion", name_of(name)));
    put(version->version, version_text());
    put(version->majorVersion, std::to_string(kVersion[0]));
    put(version->minorVersion, std::to_string(kVersion[1]));
    put(version->releaseVersion, std::to_string(kVersion[2]));
    put(version->patchVersion, "");
    put(version->reserved, "");
    return {};
  });
}

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion) {
  CANOPY_ACL_NOT_NULL(majorVersion);
  CANOPY_ACL_NOT_NULL(minorVersion);
  CANOPY_ACL_NOT_NULL(patchVersion);
  *majorVersion = ACL_MAJOR_VERSION;
  *minorVersion = ACL_MINOR_VERSION;
  *patchVersion = ACL_PATCH_VERSION;
  return ACL_SUCCESS;
}

aclError aclGetCannAttributeList(const aclCannAttr** cannAttrList, size_t* num) {
  CANOPY_ACL_NOT_NULL(cannAttrList);
  CANOPY_ACL_NOT_NULL(num);
  *cannAttrList = kSupported;
  *num = std::size(kSupported);
  return ACL_SUCCESS;
}

aclError aclGetCannAttribute(aclCannAttr cannAttr, int32_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard([&]() -> Result<> {
    if (cannAttr < ACL_CANN_ATTR_INF_NAN || cannAttr > ACL_CANN_ATTR_JIT_COMPILE) {
      return fail(Errc::invalid_argument, "attribute {} is not one of aclCannAttr",
                  static_cast<int>(cannAttr));
    }
    *value = std::ranges::find(kSupported, cannAttr) != std::end(kSupported) ? 1 : 0;
    return {};
  });
}

}  // extern "C"
