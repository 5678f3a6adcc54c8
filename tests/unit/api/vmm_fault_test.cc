// Kernels that touch mapped memory in a way that nobody may.
#include "tests/unit/api/elsewhere.h"
#include "tests/unit/api/faults.h"
#include "tests/unit/api/memory_station.h"

namespace canopy::test {
namespace {

constexpr size_t kBytes = size_t{2} << 20;

class VmmFault : public Faults {
 protected:
  void SetUp() override {
    Faults::SetUp();
    if (IsSkipped()) {
      return;
    }
    const aclrtPhysicalMemProp prop = memory_on(0);
    ACL_OK(aclrtMallocPhysical(&handle_, kBytes, &prop, 0));
    ACL_OK(aclrtReserveMemAddress(&at_, kBytes, 0, nullptr, 1));
    ACL_OK(aclrtMapMem(at_, kBytes, 0, handle_, 0));
  }
  void grant(aclrtMemAccessFlags flags) {
    aclrtMemAccessDesc desc{};
    desc.flags = flags;
    desc.location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
    ACL_OK(aclrtMemSetAccess(at_, kBytes, &desc, 1));
  }
  aclError touch(Wrong how) {
    const FaultArgs args{.wrong = how, .word = static_cast<std::atomic<uint32_t>*>(at_), .started = &started_, .ended = &ended_};
    EXPECT_EQ(aclrtLaunchKernelWithHostArgs(function(), 1, stream_, nullptr, const_cast<FaultArgs*>(&args), sizeof args, nullptr, 0),
              ACL_SUCCESS);
    return aclrtSynchronizeStream(stream_);
  }

  aclrtDrvMemHandle handle_ = nullptr;
  void* at_ = nullptr;
};

TEST_F(VmmFault, AStoreIntoWhatIsReadOnlyFailsItsTaskAndSaysWhy) {
  ACL_OK(touch(Wrong::store_to_word));
  grant(ACL_RT_MEM_ACCESS_FLAGS_READ);
  ACL_OK(touch(Wrong::load_word));
  EXPECT_EQ(touch(Wrong::store_to_word), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  EXPECT_NE(std::string(why()).find("nobody may write: aclrtMemSetAccess grants it"), std::string::npos) << why();
  grant(ACL_RT_MEM_ACCESS_FLAGS_READWRITE);
  ACL_OK(touch(Wrong::store_to_word));
}

TEST_F(VmmFault, ALoadOfWhatNobodyMayAccessFailsItsTask) {
  grant(ACL_RT_MEM_ACCESS_FLAGS_NONE);
  EXPECT_EQ(touch(Wrong::load_word), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  EXPECT_NE(std::string(why()).find("nobody may read or write"), std::string::npos) << why();
}

TEST_F(VmmFault, ALoadOfWhatWasUnmappedFailsItsTask) {
  ACL_OK(aclrtUnmapMem(at_));
  EXPECT_EQ(touch(Wrong::load_word), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  EXPECT_NE(std::string(why()).find("reserved addresses where nothing is mapped"), std::string::npos) << why();
}

TEST_F(VmmFault, ALoadOfMemoryOfAnotherHostFailsItsTaskAndSaysWhy) {
  Elsewhere elsewhere;
  aclrtMemFabricHandle fabric = foreign_handle();
  aclrtDrvMemHandle remote = nullptr;
  ACL_OK(aclrtMemImportFromShareableHandleV2(&fabric, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, &remote));
  ACL_OK(aclrtUnmapMem(at_));
  ACL_OK(aclrtMapMem(at_, kBytes, 0, remote, 0));
  for (const Wrong how : {Wrong::load_word, Wrong::store_to_word}) {
    EXPECT_EQ(touch(how), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
    EXPECT_NE(std::string(why()).find("memory of another host: copies (aclrtMemcpy) reach it, kernels do not"),
              std::string::npos)
        << why();
  }
  ACL_OK(aclrtUnmapMem(at_));
  ACL_OK(aclrtFreePhysical(remote));
}

}  // namespace
}  // namespace canopy::test
