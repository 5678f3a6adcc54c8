// Registration of the caller's own host memory.
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace canopy::test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBytes = 4 * kPage;

class HostRegister : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    memory_.reset(static_cast<char*>(std::aligned_alloc(kPage, kBytes)));
    std::memset(memory_.get(), 0, kBytes);
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&device_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  }
  char* base() { return memory_.get(); }
  // Whether a copy of `bytes` to `from` waits its turn in the stream, as with pinned memory.
  bool copies_in_stream_order(char* from, size_t bytes) {
    Gate gate;
    EXPECT_EQ(gate.close(stream_), ACL_SUCCESS);
    const OpenAtEnd end(gate, stream_);
    if (aclrtMemcpyAsync(device_, kBytes, from, bytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_) !=
        ACL_SUCCESS) {
      ADD_FAILURE() << why();
    }
    aclrtStreamStatus status;
    EXPECT_EQ(aclrtStreamQuery(stream_, &status), ACL_SUCCESS);
    return status == ACL_STREAM_STATUS_NOT_READY;
  }
  static aclrtMemLocationType type_of(const void* ptr) {
    aclrtPtrAttributes attributes;
    EXPECT_EQ(aclrtPointerGetAttributes(ptr, &attributes), ACL_SUCCESS) << why();
    return attributes.location.type;
  }

  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> memory_;
  aclrtStream stream_ = nullptr;
  void* device_ = nullptr;
};

__global__ __aicore__ void host_register_write(GM_ADDR at, uint8_t value) { *at = value; }
CANOPY_KERNEL(host_register_write)

TEST_F(HostRegister, MappedGivesAnAddressThatKernelsUse) {
  void* alias = nullptr;
  ACL_OK(aclrtHostRegister(base(), kBytes, ACL_HOST_REGISTER_MAPPED, &alias));
  ASSERT_NE(alias, nullptr);
  ASSERT_EQ(
      launch(host_register_write, 1, stream_, static_cast<GM_ADDR>(alias) + kPage, uint8_t{77}),
      ACL_SUCCESS);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(base()[kPage], 77);
  void* inner = nullptr;
  ACL_OK(aclrtHostGetDevicePointer(base() + kPage, &inner, 0));
  EXPECT_EQ(inner, static_cast<char*>(alias) + kPage);
  EXPECT_EQ(type_of(base()), ACL_MEM_LOCATION_TYPE_HOST);
  ACL_OK(aclrtHostUnregister(base()));
  EXPECT_EQ(type_of(base()), ACL_MEM_LOCATION_TYPE_UNREGISTERED);
}

TEST_F(HostRegister, PinnedMakesCopiesAsynchronous) {
  ACL_OK(aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_PINNED));
  std::memset(base(), 5, kBytes);
  EXPECT_TRUE(copies_in_stream_order(base(), kBytes));
  EXPECT_EQ(static_cast<char*>(device_)[kBytes - 1], 5);
  void* alias = nullptr;
  ACL_CODE(ACL_ERROR_HOST_MEMORY_NOT_REGISTERED,
           aclrtHostGetDevicePointer(base(), &alias, 0));  // not mapped
  ACL_OK(aclrtHostUnregister(base()));
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, base(), kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
}

TEST_F(HostRegister, ACopyThatLeavesThePinnedRangeIsPageable) {
  ACL_OK(aclrtHostRegisterV2(base(), kPage, ACL_HOST_REG_PINNED | ACL_HOST_REG_MAPPED));
  std::memset(base(), 6, kBytes);
  // Done on return, with the part that is not registered.
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, base(), kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  EXPECT_EQ(static_cast<char*>(device_)[kBytes - 1], 6);
  ACL_OK(aclrtHostUnregister(base()));
}

TEST_F(HostRegister, TheSecondTimeIs507910) {
  void* alias = nullptr;
  ACL_OK(aclrtHostRegister(base(), kBytes, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
           aclrtHostRegister(base(), kBytes, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
           aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_PINNED));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
           aclrtHostRegisterV2(base() + kPage, kPage, ACL_HOST_REG_MAPPED));
  ACL_OK(aclrtHostUnregister(base()));
  ACL_OK(aclrtHostRegisterV2(base() + kPage, kPage, ACL_HOST_REG_PINNED));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
           aclrtHostRegister(base(), kBytes, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_OK(aclrtHostUnregister(base() + kPage));
}

TEST_F(HostRegister, UnregisterOfWhatIsNotRegisteredIs507911) {
  ACL_CODE(ACL_ERROR_HOST_MEMORY_NOT_REGISTERED, aclrtHostUnregister(base()));
  ACL_OK(aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_MAPPED));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_NOT_REGISTERED, aclrtHostUnregister(base() + kPage));
  ACL_OK(aclrtHostUnregister(base()));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_NOT_REGISTERED, aclrtHostUnregister(base()));
  void* alias = nullptr;
  ACL_CODE(ACL_ERROR_HOST_MEMORY_NOT_REGISTERED, aclrtHostGetDevicePointer(base(), &alias, 0));
}

TEST_F(HostRegister, RefusesWrongRangesAndFlags) {
  void* alias = nullptr;
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtHostRegister(base() + 64, kPage, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_CODE(kCode, aclrtHostRegister(base(), 0, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_CODE(kCode, aclrtHostRegister(base(), ~uint64_t{0}, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_CODE(kCode, aclrtHostRegister(base(), kBytes, static_cast<aclrtHostRegisterType>(1), &alias));
  ACL_CODE(kCode, aclrtHostRegisterV2(base(), kBytes, 0));
  ACL_CODE(kCode, aclrtHostRegisterV2(base(), kBytes, 1));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtHostRegister(base(), kBytes, ACL_HOST_REGISTER_READONLY, &alias));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_IOMEMORY));
  ACL_OK(aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_MAPPED));
  ACL_CODE(kCode, aclrtHostGetDevicePointer(base(), &alias, 1));
}

TEST_F(HostRegister, RefusesMemoryThatIsNotThereOrADevices) {
  void* alias = nullptr;
  void* gone =
      ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(gone, MAP_FAILED);
  ::munmap(static_cast<char*>(gone) + kPage, kPage);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtHostRegister(gone, 2 * kPage, ACL_HOST_REGISTER_MAPPED, &alias));
  ::munmap(gone, kPage);
  void* device = nullptr;
  ACL_OK(aclrtMalloc(&device, 4 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtHostRegister(device, kPage, ACL_HOST_REGISTER_MAPPED, &alias));
}

TEST_F(HostRegister, PinnedMemoryMayBeMappedButNotPinnedAgain) {
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 4 << 20));
  ACL_CODE(ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
           aclrtHostRegisterV2(pinned, kPage, ACL_HOST_REG_PINNED));
  void* alias = nullptr;
  ACL_OK(aclrtHostRegister(pinned, kPage, ACL_HOST_REGISTER_MAPPED, &alias));
  ACL_OK(aclrtHostUnregister(pinned));
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(HostRegister, FinalizeForgetsRegistrations) {
  ACL_OK(aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED));
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(type_of(base()), ACL_MEM_LOCATION_TYPE_UNREGISTERED);
  ACL_OK(aclrtHostRegisterV2(base(), kBytes, ACL_HOST_REG_MAPPED));
}

TEST_F(HostRegister, CapabilitiesFollowTheEnginesThereAre) {
  aclrtHostMemMapCapability can;
  for (int type :
       {ACL_RT_HAC_TYPE_AIC, ACL_RT_HAC_TYPE_AIV, ACL_RT_HAC_TYPE_AICPU, ACL_RT_HAC_TYPE_SDMA}) {
    ACL_OK(aclrtHostMemMapCapabilities(0, static_cast<aclrtHacType>(type), &can));
    EXPECT_EQ(can, ACL_RT_HOST_MEM_MAP_SUPPORTED) << type;
  }
  ACL_OK(aclrtHostMemMapCapabilities(0, ACL_RT_HAC_TYPE_DVPP, &can));
  EXPECT_EQ(can, ACL_RT_HOST_MEM_MAP_NOT_SUPPORTED);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtHostMemMapCapabilities(0, static_cast<aclrtHacType>(10), &can));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
           aclrtHostMemMapCapabilities(kDevices, ACL_RT_HAC_TYPE_AIC, &can));
}

}  // namespace
}  // namespace canopy::test
