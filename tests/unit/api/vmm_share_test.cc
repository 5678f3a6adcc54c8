// Physical memory in the hands of several processes.
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

#include <list>

namespace canopy::test {
namespace {

constexpr size_t kBytes = size_t{4} << 20;

class VmmShare : public AclTest {
 protected:
  static aclrtDrvMemHandle physical() {
    aclrtDrvMemHandle handle = nullptr;
    const aclrtPhysicalMemProp prop = memory_on(0);
    EXPECT_EQ(aclrtMallocPhysical(&handle, kBytes, &prop, 0), ACL_SUCCESS) << why();
    return handle;
  }
  static std::byte* map(aclrtDrvMemHandle handle) {
    void* at = nullptr;
    EXPECT_EQ(aclrtReserveMemAddress(&at, kBytes, 0, nullptr, 1), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtMapMem(at, kBytes, 0, handle, 0), ACL_SUCCESS) << why();
    return static_cast<std::byte*>(at);
  }
  static uint64_t share(aclrtDrvMemHandle handle, uint64_t flags = ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION) {
    uint64_t id = 0;
    EXPECT_EQ(aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, flags, &id), ACL_SUCCESS) << why();
    return id;
  }
};

TEST_F(VmmShare, TheNumberMeansTheSameMemoryInEveryProcess) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = physical();
  std::byte* at = map(handle);
  const uint64_t id = share(handle);
  std::list<MemoryProcess> others;
  for (int i = 0; i < 3; ++i) {
    MemoryProcess& other = others.emplace_back();
    ASSERT_EQ(other.ask("take {}", id), "0");
    ASSERT_EQ(other.ask("map {}", kBytes), "0");
    EXPECT_EQ(other.ask("inode"), "0 " + std::to_string(inode_at(at)));
    ASSERT_EQ(other.ask("store {} {}", i, i + 40), "0");
    EXPECT_EQ(at[i], std::byte(i + 40)) << "seen without any call in between";
  }
  EXPECT_EQ(used_bytes(), before + kBytes) << "counted once";
}

TEST_F(VmmShare, AHandleIsExportedOnce) {
  aclrtDrvMemHandle handle = physical();
  uint64_t id = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 2, &id));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_POSIX, 0, &id));
  share(handle);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 0, &id));
  aclrtMemFabricHandle fabric{};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemExportToShareableHandleV2(handle, 0, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &fabric));
}

TEST_F(VmmShare, ItsOwnProcessMayNotImport) {
  const uint64_t id = share(physical());
  aclrtDrvMemHandle other = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandle(id, 0, &other));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandle(12345, 0, &other));
}

TEST_F(VmmShare, OnlyListedProcessesMayImportByDefault) {
  aclrtDrvMemHandle handle = physical();
  const uint64_t id = share(handle, ACL_RT_VMM_EXPORT_FLAG_DEFAULT);
  MemoryProcess other;
  MemoryProcess third;
  EXPECT_EQ(other.ask("take {}", id), std::to_string(ACL_ERROR_RT_NO_PERMISSION));
  int32_t pids[] = {other.process.pid(), 0};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemSetPidToShareableHandle(id, pids, 2));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemSetPidToShareableHandle(id, pids, 0));
  ACL_OK(aclrtMemSetPidToShareableHandle(id, pids, 1));
  EXPECT_EQ(other.ask("take {}", id), "0");
  EXPECT_EQ(third.ask("take {}", id), std::to_string(ACL_ERROR_RT_NO_PERMISSION));
  EXPECT_EQ(third.ask("list {} {}", id, third.process.pid()), std::to_string(ACL_ERROR_RT_PARAM_INVALID)) << "not its own";
  pids[0] = third.process.pid();
  uint64_t number = id;
  ACL_OK(aclrtMemSetPidToShareableHandleV2(&number, ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, pids, 1));
  EXPECT_EQ(third.ask("take {}", id), "0");
  ACL_OK(aclrtFreePhysical(handle));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemSetPidToShareableHandle(id, pids, 1));
}

TEST_F(VmmShare, WhatIsSharedWithAllHasNoList) {
  const uint64_t id = share(physical());
  int32_t pid = ::getpid();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemSetPidToShareableHandle(id, &pid, 1));
}

TEST_F(VmmShare, AnImportCannotBeExported) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("physical {}", kBytes), "0");
  const std::string id = other.ask("share 1").substr(2);
  aclrtDrvMemHandle handle = nullptr;
  ACL_OK(aclrtMemImportFromShareableHandle(std::stoull(id), 0, &handle));
  uint64_t again = 0;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 1, &again));
  aclrtPhysicalMemProp prop{};
  ACL_OK(aclrtMemGetAllocationPropertiesFromHandle(handle, &prop));
  EXPECT_EQ(prop.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtMemImportFromShareableHandle(std::stoull(id), kDevices, &handle));
}

TEST_F(VmmShare, ImportedTwiceItIsTwoHandlesOfOneMemory) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("physical {}", kBytes), "0");
  const uint64_t id = std::stoull(other.ask("share 1").substr(2));
  aclrtDrvMemHandle first = nullptr;
  aclrtDrvMemHandle second = nullptr;
  ACL_OK(aclrtMemImportFromShareableHandle(id, 0, &first));
  ACL_OK(aclrtMemImportFromShareableHandle(id, 0, &second));
  EXPECT_NE(first, second);
  std::byte* at = map(first);
  std::byte* again = map(second);
  at[9] = std::byte{9};
  EXPECT_EQ(again[9], std::byte{9});
}

TEST_F(VmmShare, TheDevicesLinkDecides) {
  MemoryProcess near(kNear);
  ASSERT_EQ(near.ask("physical {}", kBytes), "0");
  const uint64_t id = std::stoull(near.ask("share 1").substr(2));
  aclrtDrvMemHandle handle = nullptr;
  ACL_OK(aclrtMemImportFromShareableHandle(id, 0, &handle));
  std::byte* at = map(handle);
  aclrtPtrAttributes attributes{};
  ACL_OK(aclrtPointerGetAttributes(at, &attributes));
  EXPECT_EQ(attributes.location.id, static_cast<uint32_t>(kNear));
  void* mine = zeroed_memory(kBytes);
  ACL_OK(aclrtMemcpy(at, kBytes, mine, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE)) << "the import is for device 0";
  MemoryProcess far(kUnreachable);
  ASSERT_EQ(far.ask("physical {}", kBytes), "0");
  const uint64_t other = std::stoull(far.ask("share 1").substr(2));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemImportFromShareableHandle(other, 0, &handle));
}

TEST_F(VmmShare, MemoryLivesUntilEveryProcessHasLetGo) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = physical();
  std::byte* at = map(handle);
  const uint64_t id = share(handle);
  MemoryProcess other;
  MemoryProcess third;
  ASSERT_EQ(other.ask("take {}", id), "0");
  ASSERT_EQ(other.ask("map {}", kBytes), "0");
  ASSERT_EQ(other.ask("drop"), "0");
  ACL_OK(aclrtFreePhysical(handle));
  ASSERT_EQ(third.ask("take {}", id), "0") << "mapped by its exporter: it can be imported still";
  ASSERT_EQ(third.ask("drop"), "0");
  ACL_OK(aclrtUnmapMem(at));
  EXPECT_EQ(third.ask("take {}", id), std::to_string(ACL_ERROR_RT_INVALID_HANDLE));
  EXPECT_EQ(used_bytes(), before + kBytes);
  ASSERT_EQ(other.ask("store 0 5"), "0");
  ASSERT_EQ(other.ask("read 0"), "0 5");
  ASSERT_EQ(other.ask("unmap"), "0");
  EXPECT_TRUE(soon([&] { return used_bytes() == before; }));
}

TEST_F(VmmShare, AnImporterThatDiesLetsGo) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = physical();
  const uint64_t id = share(handle);
  {
    MemoryProcess other;
    ASSERT_EQ(other.ask("take {}", id), "0");
    ASSERT_EQ(other.ask("map {}", kBytes), "0");
  }
  ACL_OK(aclrtFreePhysical(handle));
  EXPECT_TRUE(soon([&] { return used_bytes() == before; }));
}

TEST_F(VmmShare, MemoryOfADeadExporterIs507899) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("physical {}", kBytes), "0");
  const uint64_t id = std::stoull(other.ask("share 1").substr(2));
  aclrtDrvMemHandle handle = nullptr;
  ACL_OK(aclrtMemImportFromShareableHandle(id, 0, &handle));
  std::byte* at = map(handle);
  const uint64_t used = used_bytes();
  other.process.kill();
  EXPECT_TRUE(soon([&] { return aclrtMemset(at, kBytes, 1, kBytes) != ACL_SUCCESS; }));
  EXPECT_TRUE(soon([&] { return used_bytes() == used; })) << "it counts, at us";
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtMemset(at, kBytes, 1, kBytes));
  std::byte* later = map(handle);
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtMemset(later, kBytes, 1, kBytes));
  ACL_OK(aclrtUnmapMem(at));
  ACL_OK(aclrtUnmapMem(later));
  ACL_OK(aclrtFreePhysical(handle));
  EXPECT_EQ(used_bytes(), used - kBytes);
}

TEST_F(VmmShare, AFabricHandleWorksAsANumberOnItsHost) {
  aclrtDrvMemHandle handle = physical();
  std::byte* at = map(handle);
  aclrtMemFabricHandle fabric{};
  ACL_OK(aclrtMemExportToShareableHandleV2(handle, 0, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &fabric));
  const std::string hex = hex_of(&fabric, sizeof fabric);
  MemoryProcess other;
  EXPECT_EQ(other.ask("fabric-take {}", hex), std::to_string(ACL_ERROR_RT_NO_PERMISSION));
  int32_t pid = other.process.pid();
  ACL_OK(aclrtMemSetPidToShareableHandleV2(&fabric, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &pid, 1));
  EXPECT_EQ(other.ask("fabric-take {}", hex), "0");
  EXPECT_EQ(other.ask("map {}", kBytes), "0");
  ASSERT_EQ(other.ask("store 3 33"), "0");
  EXPECT_EQ(at[3], std::byte{33});
}

TEST_F(VmmShare, KindsOfHandlesAreChecked) {
  aclrtDrvMemHandle handle = physical();
  uint64_t id = 0;
  const auto wrong = static_cast<aclrtMemSharedHandleType>(3);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemExportToShareableHandleV2(handle, 0, wrong, &id));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemExportToShareableHandleV2(handle, 2, ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, &id));
  ACL_OK(aclrtMemExportToShareableHandleV2(handle, 1, ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, &id));
  aclrtDrvMemHandle other = nullptr;
  aclrtMemFabricHandle none{};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemImportFromShareableHandleV2(&id, wrong, 0, &other));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemImportFromShareableHandleV2(&id, ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT, 1, &other));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemImportFromShareableHandleV2(&none, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, &other));
  int32_t pid = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemSetPidToShareableHandleV2(&none, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &pid, 1));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMemImportFromShareableHandle(id, 0, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMemExportToShareableHandle(nullptr, ACL_MEM_HANDLE_TYPE_NONE, 0, &id));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMemSetPidToShareableHandle(id, nullptr, 1));
}

}  // namespace
}  // namespace canopy::test
