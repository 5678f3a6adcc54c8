// Addresses, physical memory and what joins them, in one process.
#include "runtime/driver/physical_memory.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

#include <sys/mman.h>

#include <array>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kGranule = size_t{2} << 20;
constexpr size_t kBytes = 2 * kGranule;

// Where the system has just had room, on a granule's boundary.
void* free_address(size_t bytes) {
  void* raw = ::mmap(nullptr, bytes + kGranule, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT_NE(raw, MAP_FAILED);
  ::munmap(raw, bytes + kGranule);
  return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(raw) + kGranule - 1) / kGranule * kGranule);
}

class Vmm : public AclTest {
 protected:
  static aclrtDrvMemHandle physical(size_t bytes = kBytes, int device = 0) {
    aclrtDrvMemHandle handle = nullptr;
    const aclrtPhysicalMemProp prop = memory_on(device);
    EXPECT_EQ(aclrtMallocPhysical(&handle, bytes, &prop, 0), ACL_SUCCESS) << why();
    return handle;
  }
  static std::byte* reserved(size_t bytes = kBytes) {
    void* at = nullptr;
    EXPECT_EQ(aclrtReserveMemAddress(&at, bytes, 0, nullptr, 1), ACL_SUCCESS) << why();
    return static_cast<std::byte*>(at);
  }
  // A handle, mapped.
  std::byte* mapped(aclrtDrvMemHandle* handle, int device = 0) {
    *handle = physical(kBytes, device);
    std::byte* at = reserved();
    EXPECT_EQ(aclrtMapMem(at, kBytes, 0, *handle, 0), ACL_SUCCESS) << why();
    return at;
  }
  static aclError grant(void* at, aclrtMemAccessFlags flags, int device = 0, size_t bytes = kBytes) {
    aclrtMemAccessDesc desc{};
    desc.flags = flags;
    desc.location = {static_cast<uint32_t>(device), ACL_MEM_LOCATION_TYPE_DEVICE};
    return aclrtMemSetAccess(at, bytes, &desc, 1);
  }
  static uint64_t access(void* at, int device = 0) {
    aclrtMemLocation location{static_cast<uint32_t>(device), ACL_MEM_LOCATION_TYPE_DEVICE};
    uint64_t flags = 77;
    EXPECT_EQ(aclrtMemGetAccess(at, &location, &flags), ACL_SUCCESS) << why();
    return flags;
  }
};

// ---- Addresses.

TEST_F(Vmm, AddressesAreAlignedDistinctAndNotTouchable) {
  std::vector<void*> all;
  for (const size_t alignment : {size_t{0}, size_t{4096}, kGranule, size_t{1} << 30}) {
    void* at = nullptr;
    ACL_OK(aclrtReserveMemAddress(&at, kBytes, alignment, nullptr, 1));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % std::max(alignment, kGranule), 0u);
    EXPECT_EQ(std::count(all.begin(), all.end(), at), 0);
    all.push_back(at);
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(at, kBytes, 0, 1)) << "nothing is mapped";
  }
  for (void* at : all) {
    ACL_OK(aclrtReleaseMemAddress(at));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(at));
  }
}

TEST_F(Vmm, AWishIsGrantedWhereTheAddressIsFree) {
  std::byte* at = reserved();
  void* const somewhere = free_address(kBytes);
  void* there = nullptr;
  ACL_OK(aclrtReserveMemAddress(&there, kBytes, 0, somewhere, 1));
  EXPECT_EQ(there, somewhere);
  void* other = nullptr;
  ACL_OK(aclrtReserveMemAddress(&other, kBytes, 0, at, 1)) << "taken: another one";
  EXPECT_NE(other, at);
  void* third = nullptr;
  ACL_OK(aclrtReserveMemAddressNoUCMemory(&third, 1, 0, nullptr, 0));
  ACL_OK(aclrtReleaseMemAddress(there));
  ACL_OK(aclrtReleaseMemAddress(third));
}

TEST_F(Vmm, ReservationsThatCannotBeAre107000) {
  void* at = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReserveMemAddress(&at, 0, 0, nullptr, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReserveMemAddress(&at, kBytes, 3000, nullptr, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReserveMemAddress(&at, kBytes, 0, nullptr, 3));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReserveMemAddress(&at, ~size_t{0}, 0, nullptr, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(&at)) << "never reserved";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(reserved() + kGranule)) << "not its start";
}

// ---- Physical memory.

TEST_F(Vmm, GranularityIsThatOfThePages) {
  aclrtPhysicalMemProp prop = memory_on(0);
  size_t granularity = 0;
  for (const auto option : {ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM, ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED}) {
    ACL_OK(aclrtMemGetAllocationGranularity(&prop, option, &granularity));
    EXPECT_EQ(granularity, kGranule);
  }
  prop.memAttr = ACL_HBM_MEM_HUGE1G;
  ACL_OK(aclrtMemGetAllocationGranularity(&prop, ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM, &granularity));
  EXPECT_EQ(granularity, size_t{1} << 30);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemGetAllocationGranularity(&prop, ACL_RT_MEM_ALLOC_GRANULARITY_UNDEF, &granularity));
}

TEST_F(Vmm, PhysicalMemoryCountsOnceHoweverOftenItIsMapped) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  EXPECT_EQ(used_bytes(), before + kBytes);
  std::byte* again = reserved();
  ACL_OK(aclrtMapMem(again, kBytes, 0, handle, 0));
  EXPECT_EQ(used_bytes(), before + kBytes);
  at[5] = std::byte{9};
  EXPECT_EQ(again[5], std::byte{9}) << "one memory at two addresses";
  EXPECT_EQ(inode_at(at), inode_at(again));
  ACL_OK(aclrtFreePhysical(handle));
  ACL_OK(aclrtUnmapMem(at));
  EXPECT_EQ(used_bytes(), before + kBytes) << "still mapped";
  ACL_OK(aclrtUnmapMem(again));
  EXPECT_EQ(used_bytes(), before);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(at, kBytes, 0, 1)) << "unmapped";
}

TEST_F(Vmm, HandlesAreDeadWhenFreed) {
  aclrtDrvMemHandle handle = physical();
  ACL_OK(aclrtFreePhysical(handle));
  aclrtPhysicalMemProp prop{};
  uint64_t id = 0;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(handle));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemGetAllocationPropertiesFromHandle(handle, &prop));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMapMem(reserved(), kBytes, 0, handle, 0));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemExportToShareableHandle(handle, ACL_MEM_HANDLE_TYPE_NONE, 0, &id));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemMapSetLink(handle, ACL_RT_MEM_ACCESS_LINK_SIO));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(kInvented));
}

TEST_F(Vmm, RetainGivesOneMoreReference) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  aclrtDrvMemHandle retained = nullptr;
  ACL_OK(aclrtMemRetainAllocationHandle(at + 4096, &retained));
  EXPECT_EQ(retained, handle);
  ACL_OK(aclrtFreePhysical(handle));
  aclrtPhysicalMemProp prop{};
  ACL_OK(aclrtMemGetAllocationPropertiesFromHandle(handle, &prop));
  EXPECT_EQ(prop.memAttr, ACL_HBM_MEM_HUGE);
  EXPECT_EQ(prop.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  ACL_OK(aclrtFreePhysical(handle));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(handle));
  ACL_OK(aclrtMemRetainAllocationHandle(at, &retained)) << "mapped still: a new handle";
  ACL_OK(aclrtUnmapMem(at));
  EXPECT_EQ(used_bytes(), before + kBytes);
  ACL_OK(aclrtFreePhysical(retained));
  EXPECT_EQ(used_bytes(), before);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemRetainAllocationHandle(at, &retained));
}

TEST_F(Vmm, PhysicalMemoryThatCannotBeIsRefused) {
  aclrtDrvMemHandle handle = nullptr;
  aclrtPhysicalMemProp prop = memory_on(0);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocPhysical(&handle, 0, &prop, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocPhysical(&handle, kBytes + 4096, &prop, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocPhysical(&handle, kBytes, &prop, 1));
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMallocPhysical(&handle, 2 * kHbmBytes, &prop, 0));
  const auto code = [&](auto edit) {
    aclrtPhysicalMemProp wrong = memory_on(0);
    edit(wrong);
    return aclrtMallocPhysical(&handle, kBytes, &wrong, 0);
  };
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, code([](auto& p) { p.handleType = ACL_MEM_HANDLE_TYPE_POSIX; }));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code([](auto& p) { p.reserve = 1; }));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code([](auto& p) { p.memAttr = ACL_DDR_MEM; }));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code([](auto& p) { p.memAttr = static_cast<aclrtMemAttr>(99); }));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, code([](auto& p) { p.location.id = kDevices; }));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code([](auto& p) { p.location.type = ACL_MEM_LOCATION_TYPE_MANAGED; }));
}

TEST_F(Vmm, HostMemoryIsCountedOnNoDevice) {
  const uint64_t before = used_bytes();
  aclrtPhysicalMemProp prop{};
  prop.memAttr = ACL_MEM_HUGE;
  prop.location = {0, ACL_MEM_LOCATION_TYPE_HOST};
  aclrtDrvMemHandle handle = nullptr;
  ACL_OK(aclrtMallocPhysical(&handle, kBytes, &prop, 0));
  EXPECT_EQ(used_bytes(), before);
  std::byte* at = reserved();
  ACL_OK(aclrtMapMem(at, kBytes, 0, handle, 0));
  aclrtPtrAttributes attributes{};
  ACL_OK(aclrtPointerGetAttributes(at, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_HOST);
  at[0] = std::byte{3};
  void* device = zeroed_memory(64);
  ACL_OK(aclrtMemcpyAsync(device, 64, at, 64, ACL_MEMCPY_HOST_TO_DEVICE, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*static_cast<std::byte*>(device), std::byte{3});
  ACL_OK(aclrtUnmapMem(at));
  ACL_OK(aclrtFreePhysical(handle));
}

// Pages exist from the first touch on: what the host does not have would end in a kill later.
TEST_F(Vmm, MoreHostMemoryThanThereIsIsRefused) {
  aclrtPhysicalMemProp prop{};
  prop.memAttr = ACL_MEM_HUGE;
  prop.location = {0, ACL_MEM_LOCATION_TYPE_HOST};
  const uint64_t all = host_memory_bytes() / kGranule * kGranule;
  aclrtDrvMemHandle handle = nullptr;
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMallocPhysical(&handle, all + kGranule, &prop, 0));
  EXPECT_NE(std::string(why()).find("bytes wanted"), std::string::npos) << why();
  aclrtDrvMemHandle half = nullptr;
  const uint64_t most = all / 8 * 5 / kGranule * kGranule;
  ACL_OK(aclrtMallocPhysical(&half, most, &prop, 0));
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMallocPhysical(&handle, most, &prop, 0)) << "together too much";
  ACL_OK(aclrtFreePhysical(half));
  ACL_OK(aclrtMallocPhysical(&handle, most, &prop, 0)) << "given back";
  ACL_OK(aclrtFreePhysical(handle));
}

// ---- Mapping.

TEST_F(Vmm, MappedMemoryIsDeviceMemoryWithItsOwnBounds) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  ACL_OK(aclrtMemset(at, kBytes, 4, kBytes));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(at + 1, kBytes, 4, kBytes));
  aclrtPtrAttributes attributes{};
  ACL_OK(aclrtPointerGetAttributes(at + 7, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(attributes.location.id, 0u);
  EXPECT_EQ(attributes.pageSize, kGranule);
  void* base = nullptr;
  size_t bytes = 0;
  ACL_OK(aclrtMemGetAddressRange(at + 7, &base, &bytes));
  EXPECT_EQ(base, at);
  EXPECT_EQ(bytes, kBytes);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(at));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtReleaseMemAddress(at)) << "mapped";
  char key[65];
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemGetExportKey(at, kBytes, key, sizeof key, 0)) << "has handles";
  ACL_OK(aclrtFreePhysical(handle));
  ACL_OK(aclrtUnmapMem(at));
  ACL_OK(aclrtReleaseMemAddress(at));
}

TEST_F(Vmm, MappingsThatCannotBeAreRefused) {
  aclrtDrvMemHandle handle = physical();
  std::byte* at = reserved(3 * kGranule);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at, kGranule, 0, handle, 0)) << "a part";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at, kBytes, 4096, handle, 0)) << "an offset";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at, kBytes, 0, handle, 1)) << "flags";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at + 4096, kBytes, 0, handle, 0)) << "off a granule";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at + 2 * kGranule, kBytes, 0, handle, 0)) << "past the end";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(zeroed_memory(kBytes), kBytes, 0, handle, 0)) << "not reserved";
  ACL_OK(aclrtMapMem(at + kGranule, kBytes, 0, handle, 0));
  for (const size_t offset : {size_t{0}, kGranule}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMapMem(at + offset, kBytes, 0, handle, 0)) << "taken " << offset;
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at)) << "nothing there";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at + 2 * kGranule)) << "not its start";
  ACL_OK(aclrtUnmapMem(at + kGranule));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at + kGranule));
}

TEST_F(Vmm, OneRangeHoldsSeveralMemories) {
  std::byte* at = reserved(2 * kBytes);
  aclrtDrvMemHandle first = physical();
  aclrtDrvMemHandle second = physical();
  ACL_OK(aclrtMapMem(at, kBytes, 0, first, 0));
  ACL_OK(aclrtMapMem(at + kBytes, kBytes, 0, second, 0));
  ACL_OK(aclrtMemset(at + kBytes, kBytes, 5, kBytes));
  ACL_OK(aclrtUnmapMem(at));
  EXPECT_EQ(at[kBytes], std::byte{5}) << "the other one stays";
  ACL_OK(aclrtUnmapMem(at + kBytes));
  ACL_OK(aclrtReleaseMemAddress(at));
}

TEST_F(Vmm, ASecondAddressOverAChosenLinkIsTheSameMemory) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  ACL_OK(aclrtMemMapSetLink(handle, ACL_RT_MEM_ACCESS_LINK_HCCS));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemMapSetLink(handle, ACL_RT_MEM_ACCESS_UB_ONE_PORT_PATH));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemMapSetLink(handle, static_cast<aclrtMemLinkType>(9)));
  std::byte* other = reserved();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemMapSelectedLink(other, kBytes, at, 2));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemMapSelectedLink(other, kGranule, at, 0));
  ACL_OK(aclrtMemMapSelectedLink(other, kBytes, at, ACL_RT_MEM_LINK_IDX_1));
  at[1] = std::byte{8};
  EXPECT_EQ(other[1], std::byte{8});
}

// ---- Access.

TEST_F(Vmm, TheOwnerMayAccessAtOnceUnlessMappedWithoutAccess) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  EXPECT_EQ(access(at), ACL_RT_MEM_ACCESS_FLAGS_READWRITE);
  EXPECT_EQ(access(at, kNear), ACL_RT_MEM_ACCESS_FLAGS_NONE);
  ACL_OK(aclrtUnmapMem(at));
  ACL_OK(aclrtMemMapNoAccess(at, kBytes, 0, handle, 0));
  EXPECT_EQ(access(at), ACL_RT_MEM_ACCESS_FLAGS_NONE);
  uint8_t byte = 0;
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(&byte, 1, at, 1, ACL_MEMCPY_DEVICE_TO_HOST));
  ACL_OK(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ));
  ACL_OK(aclrtMemcpy(&byte, 1, at, 1, ACL_MEMCPY_DEVICE_TO_HOST));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(at, 1, &byte, 1, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemset(at, 1, 0, 1));
  ACL_OK(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
  ACL_OK(aclrtMemset(at, 1, 0, 1));
}

TEST_F(Vmm, AccessThatIsTakenAwayFailsTheCopiesInTheQueue) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  void* other = zeroed_memory(kBytes);
  aclrtStream stream = make_stream();
  for (const bool unmaps : {false, true}) {
    Gate gate;
    ACL_OK(gate.close(stream));
    ACL_OK(aclrtMemcpyAsync(at, kBytes, other, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    ACL_OK(unmaps ? aclrtUnmapMem(at) : grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ));
    gate.open();
    ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream)) << unmaps;
    if (!unmaps) {
      ACL_OK(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
    }
  }
}

TEST_F(Vmm, AnotherDeviceNeedsAGrantForItsCopies) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  ACL_OK(aclrtMemset(at, kBytes, 6, kBytes));
  ACL_OK(aclrtSetDevice(kNear));
  void* other = zeroed_memory(kBytes);
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(other, kBytes, at, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_OK(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, kNear));
  ACL_OK(aclrtMemcpy(other, kBytes, at, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_EQ(*static_cast<std::byte*>(other), std::byte{6});
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(at, kBytes, other, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_OK(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READWRITE, kNear));
  ACL_OK(aclrtMemcpy(at, kBytes, other, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
}

TEST_F(Vmm, GrantsOfTwoThreadsBothHold) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  for (int round = 0; round < 1000; ++round) {
    std::thread other([&] { EXPECT_EQ(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, kNear), ACL_SUCCESS); });
    EXPECT_EQ(grant(at, ACL_RT_MEM_ACCESS_FLAGS_READWRITE), ACL_SUCCESS);
    other.join();
    ASSERT_EQ(access(at), ACL_RT_MEM_ACCESS_FLAGS_READWRITE) << round;
    ASSERT_EQ(access(at, kNear), ACL_RT_MEM_ACCESS_FLAGS_READ) << round;
    ASSERT_EQ(grant(at, ACL_RT_MEM_ACCESS_FLAGS_NONE), ACL_SUCCESS);
    ASSERT_EQ(grant(at, ACL_RT_MEM_ACCESS_FLAGS_NONE, kNear), ACL_SUCCESS);
  }
}

TEST_F(Vmm, GrantsThatCannotBeAreRefused) {
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, kUnreachable)) << "the link refuses";
  EXPECT_EQ(access(at, kUnreachable), ACL_RT_MEM_ACCESS_FLAGS_NONE);
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, kDevices));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, -1));
  EXPECT_EQ(std::string(why()).find("device -1 does not exist"), 0u) << why();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, grant(at, static_cast<aclrtMemAccessFlags>(2)));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, grant(at, ACL_RT_MEM_ACCESS_FLAGS_READ, 0, kGranule)) << "a part";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, grant(at + kGranule, ACL_RT_MEM_ACCESS_FLAGS_READ)) << "not its start";
  aclrtMemAccessDesc desc{};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemSetAccess(at, kBytes, &desc, 0));
  aclrtMemLocation location{0, ACL_MEM_LOCATION_TYPE_UNREGISTERED};
  uint64_t flags = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemGetAccess(at, &location, &flags));
  location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemGetAccess(at + kBytes, &location, &flags)) << "not mapped";
  desc.flags = ACL_RT_MEM_ACCESS_FLAGS_READ;
  desc.location.type = ACL_MEM_LOCATION_TYPE_HOST;
  ACL_OK(aclrtMemSetAccess(at, kBytes, &desc, 1));
  ACL_OK(aclrtMemGetAccess(at, &desc.location, &flags));
  EXPECT_EQ(flags, static_cast<uint64_t>(ACL_RT_MEM_ACCESS_FLAGS_READ));
}

// ---- Ends.

TEST_F(Vmm, ResettingTheDeviceUnmapsAndFreesItsMemory) {
  const uint64_t before = used_bytes();
  aclrtDrvMemHandle handle = nullptr;
  std::byte* at = mapped(&handle);
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(used_bytes(), before);
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtFreePhysical(handle));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtUnmapMem(at));
  ACL_OK(aclrtReleaseMemAddress(at));
}

TEST_F(Vmm, ThousandsOfRoundsLeaveNothing) {
  const uint64_t before = used_bytes();
  size_t fds = 0;
  size_t maps = 0;
  for (int round = 0; round < 2000; ++round) {
    aclrtDrvMemHandle handle = nullptr;
    std::byte* at = mapped(&handle);
    at[0] = std::byte{1};
    ACL_OK(aclrtFreePhysical(handle));
    ACL_OK(aclrtUnmapMem(at));
    ACL_OK(aclrtReleaseMemAddress(at));
    if (round == 10) {
      fds = descriptors();
      maps = mappings();
    }
  }
  EXPECT_EQ(used_bytes(), before);
  EXPECT_EQ(descriptors(), fds);
  EXPECT_LE(mappings(), maps + 2);
}

TEST_F(Vmm, NullIs100000) {
  void* at = nullptr;
  aclrtDrvMemHandle handle = physical();
  aclrtPhysicalMemProp prop = memory_on(0);
  aclrtMemLocation location{};
  size_t size = 0;
  uint64_t flags = 0;
  const std::array<aclError, 20> codes = {
      aclrtReserveMemAddress(nullptr, 1, 0, nullptr, 0),
      aclrtReserveMemAddressNoUCMemory(nullptr, 1, 0, nullptr, 0),
      aclrtReleaseMemAddress(nullptr),
      aclrtMallocPhysical(nullptr, kBytes, &prop, 0),
      aclrtMallocPhysical(&handle, kBytes, nullptr, 0),
      aclrtFreePhysical(nullptr),
      aclrtMemGetAllocationGranularity(nullptr, ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM, &size),
      aclrtMemGetAllocationGranularity(&prop, ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM, nullptr),
      aclrtMemRetainAllocationHandle(nullptr, &handle),
      aclrtMemRetainAllocationHandle(&at, nullptr),
      aclrtMemGetAllocationPropertiesFromHandle(nullptr, &prop),
      aclrtMemGetAllocationPropertiesFromHandle(handle, nullptr),
      aclrtMapMem(nullptr, kBytes, 0, handle, 0),
      aclrtMapMem(&at, kBytes, 0, nullptr, 0),
      aclrtMemMapNoAccess(nullptr, kBytes, 0, handle, 0),
      aclrtUnmapMem(nullptr),
      aclrtMemSetAccess(nullptr, kBytes, nullptr, 1),
      aclrtMemGetAccess(&at, nullptr, &flags),
      aclrtMemGetAccess(&at, &location, nullptr),
      aclrtMemMapSelectedLink(nullptr, kBytes, &at, 0)};
  for (size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(codes[i], ACL_ERROR_INVALID_PARAM) << i;
  }
  ACL_OK(aclrtFreePhysical(handle));
}

}  // namespace
}  // namespace canopy::test
