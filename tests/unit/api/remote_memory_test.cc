// Memory of another host, behind a double of what moves bytes between hosts: copies reach it, nothing else does.
#include "runtime/core/copy_way.h"
#include "runtime/core/runtime.h"
#include "tests/unit/api/elsewhere.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

namespace canopy::test {
namespace {

constexpr size_t kBytes = Elsewhere::kBytes;

class RemoteMemoryTest : public AclTest {
 protected:
  static aclError import(aclrtMemFabricHandle fabric, aclrtDrvMemHandle* handle) {
    return aclrtMemImportFromShareableHandleV2(&fabric, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, handle);
  }
  static std::byte* mapped(const aclrtMemFabricHandle& fabric) {
    aclrtDrvMemHandle handle = nullptr;
    void* at = nullptr;
    EXPECT_EQ(import(fabric, &handle), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtReserveMemAddress(&at, kBytes, 0, nullptr, 1), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtMapMem(at, kBytes, 0, handle, 0), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtFreePhysical(handle), ACL_SUCCESS) << why();
    return static_cast<std::byte*>(at);
  }
};

TEST_F(RemoteMemoryTest, WithoutWhatMovesBytesItIs207000) {
  aclrtDrvMemHandle handle = nullptr;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, import(foreign_handle(), &handle));
  EXPECT_NE(std::string(why()).find("another host"), std::string::npos) << why();
}

TEST_F(RemoteMemoryTest, ExportedWithAListItIsForItsHostOnly) {
  Elsewhere elsewhere;
  aclrtDrvMemHandle handle = nullptr;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, import(foreign_handle(ACL_RT_VMM_EXPORT_FLAG_DEFAULT), &handle));
}

TEST_F(RemoteMemoryTest, CopiesReachIt) {
  Elsewhere elsewhere;
  std::byte* at = mapped(foreign_handle());
  auto* mine = static_cast<std::byte*>(zeroed_memory(kBytes));
  ACL_OK(aclrtMemset(mine, kBytes, 7, kBytes));
  ACL_OK(aclrtMemcpy(at + 100, 50, mine, 50, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_EQ(elsewhere.memory[99], std::byte{0});
  EXPECT_EQ(elsewhere.memory[100], std::byte{7});
  EXPECT_EQ(elsewhere.memory[149], std::byte{7});
  EXPECT_EQ(elsewhere.memory[150], std::byte{0});
  elsewhere.memory[kBytes - 1] = std::byte{9};
  uint8_t last = 0;
  ACL_OK(aclrtMemcpy(&last, 1, at + kBytes - 1, 1, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(last, 9);
  aclrtStream stream = make_stream();
  ACL_OK(aclrtMemcpyAsync(mine, kBytes, at, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(mine[kBytes - 1], std::byte{9});
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(mine, kBytes, at + 1, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_OK(aclrtUnmapMem(at));
}

TEST_F(RemoteMemoryTest, NothingElseReachesIt) {
  Elsewhere elsewhere;
  std::byte* at = mapped(foreign_handle());
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemset(at, kBytes, 0, kBytes));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemcpy(at, 8, at + 8, 8, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtValueWrite(at, 1, 0, nullptr));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemFlush(at, 64));
  ACL_OK(aclrtUnmapMem(at));
}

TEST_F(RemoteMemoryTest, AnExportThatFailsCanBeTriedAgain) {
  Elsewhere elsewhere;
  aclrtDrvMemHandle handle = nullptr;
  const aclrtPhysicalMemProp prop = memory_on(0);
  ACL_OK(aclrtMallocPhysical(&handle, kBytes, &prop, 0));
  aclrtMemFabricHandle fabric{};
  const auto share = [&] {
    return aclrtMemExportToShareableHandleV2(handle, ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION,
                                             ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &fabric);
  };
  elsewhere.gone = true;
  EXPECT_NE(share(), ACL_SUCCESS);
  elsewhere.gone = false;
  ACL_OK(share());
  ACL_OK(aclrtFreePhysical(handle));
}

// What was checked was unmapped since, and something smaller lies there.
TEST_F(RemoteMemoryTest, ACopyGoesNoFurtherThanWhatIsMappedNow) {
  Elsewhere elsewhere;
  std::byte* at = mapped(foreign_handle());
  std::vector<std::byte> mine(kBytes);
  Runtime& runtime = Runtime::instance();
  EXPECT_TRUE(move_bytes(runtime, CopyWay::remote, at + 64, mine.data(), kBytes - 64)) << error_text::newest();
  EXPECT_FALSE(move_bytes(runtime, CopyWay::remote, at + 65, mine.data(), kBytes - 64));
  EXPECT_FALSE(move_bytes(runtime, CopyWay::remote, mine.data(), at + 1, kBytes));
  ACL_OK(aclrtUnmapMem(at));
}

TEST_F(RemoteMemoryTest, OfAHostThatIsGoneFailsCopies) {
  Elsewhere elsewhere;
  std::byte* at = mapped(foreign_handle());
  void* mine = zeroed_memory(kBytes);
  elsewhere.gone = true;
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtMemcpy(at, 8, mine, 8, ACL_MEMCPY_DEVICE_TO_DEVICE));
  aclrtStream stream = make_stream();
  ACL_OK(aclrtMemcpyAsync(mine, 8, at, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream));
  EXPECT_NE(std::string(why()).find("the other host is gone"), std::string::npos) << why();
  ACL_OK(aclrtUnmapMem(at));
}

}  // namespace
}  // namespace canopy::test
