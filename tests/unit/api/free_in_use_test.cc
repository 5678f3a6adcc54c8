// Memory that is freed while tasks that were queued before still want it: the task fails, the
// process lives.
#include "acl/acl_rt_memory_soma.h"
#include "tests/unit/api/gate.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

namespace canopy::test {
namespace {

constexpr size_t kBytes = 4 << 20;  // with memory of its own, which goes with it

class FreeInUse : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&kept_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMalloc(&freed_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  }
  // Queues work, frees `freed_` before the stream gets to it, and expects the failure.
  void expect_failure(const char* name, const std::function<aclError()>& queue) {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    freed_ = memory;
    Gate gate;
    ACL_OK(gate.close(stream_));
    EXPECT_EQ(queue(), ACL_SUCCESS) << name << ": " << why();
    EXPECT_EQ(aclrtFree(freed_), ACL_SUCCESS) << why();
    gate.open();
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_SYS_DMA) << name;
    EXPECT_NE(std::string(why()).find("lies in no live allocation"), std::string::npos) << name;
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << name << ": told once";
  }

  aclrtStream stream_ = nullptr;
  void* kept_ = nullptr;
  void* freed_ = nullptr;
};

TEST_F(FreeInUse, FailsEveryKindOfCopyWith507013) {
  expect_failure(
      "to", [&] { return aclrtMemcpyAsync(freed_, 100, kept_, 100, ACL_MEMCPY_DEFAULT, stream_); });
  expect_failure("from", [&] {
    return aclrtMemcpyAsync(kept_, 100, freed_, 100, ACL_MEMCPY_DEFAULT, stream_);
  });
  expect_failure("fill", [&] { return aclrtMemsetAsync(freed_, kBytes, 1, kBytes, stream_); });
  expect_failure("words", [&] { return aclrtMemsetD32Async(freed_, kBytes, 1, 100, stream_); });
  expect_failure("2d", [&] {
    return aclrtMemcpy2dAsync(freed_, 16, kept_, 16, 8, 100, ACL_MEMCPY_DEFAULT, stream_);
  });
  expect_failure("reduce", [&] {
    return aclrtReduceAsync(kept_, freed_, 400, ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_INT32,
                            stream_, nullptr);
  });
  expect_failure("batch", [&] {
    size_t size = 100;
    size_t first = 0;
    aclrtMemcpyBatchAttr attr{};
    attr.dstLoc = attr.srcLoc = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    return aclrtMemcpyBatchAsyncV2(&kept_, &size, &freed_, &size, 1, &attr, &first, 1, stream_);
  });
  expect_failure("value write", [&] { return aclrtValueWrite(freed_, 1, 0, stream_); });
  expect_failure("value wait",
                 [&] { return aclrtValueWait(freed_, 1, ACL_STREAM_WAIT_VALUE_EQ, stream_); });
}

TEST_F(FreeInUse, EndsAWaitForAWordThatHasBegun) {
  ACL_OK(aclrtMemset(freed_, 8, 0, 8));
  ACL_OK(aclrtValueWait(freed_, 1, ACL_STREAM_WAIT_VALUE_EQ, stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream_, 20));
  ACL_OK(aclrtFree(freed_));
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(FreeInUse, OfOtherMemoryHarmsNoTask) {
  std::memset(kept_, 3, 100);
  void* target = nullptr;
  ACL_OK(aclrtMalloc(&target, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(target, 100, kept_, 100, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemsetAsync(kept_, 100, 4, 100, stream_));
  ACL_OK(aclrtMemcpy2dAsync(static_cast<char*>(kept_) + 200, 16, kept_, 16, 8, 2,
                            ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtFree(freed_));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(static_cast<char*>(target)[99], 3);
  EXPECT_EQ(static_cast<char*>(kept_)[223], 4);
}

TEST_F(FreeInUse, OfPinnedMemoryFailsTheTaskToo) {
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, kBytes));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(kept_, kBytes, pinned, kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_OK(aclrtFreeHost(pinned));
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_));
}

TEST_F(FreeInUse, UnregisteringMemoryInUseFailsTheTask) {
  void* memory = std::aligned_alloc(4096, 4096);
  ACL_OK(aclrtHostRegisterV2(memory, 4096, ACL_HOST_REG_PINNED));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(kept_, 4096, memory, 4096, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_OK(aclrtHostUnregister(memory));
  std::free(memory);
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_));
}

TEST_F(FreeInUse, ABlockOfAPoolMayBeFreedBehindItsTasks) {
  aclrtMemPoolProps props{};
  props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  aclrtMemPool pool = nullptr;
  ACL_OK(aclrtMemPoolCreate(&pool, &props));
  void* block = nullptr;
  ACL_OK(aclrtMemPoolMallocAsync(&block, 4096, pool, stream_));
  void* desc = nullptr;
  ACL_OK(aclrtMalloc(&desc, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtSetMemcpyDesc(desc, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE, block,
                            static_cast<char*>(kept_) + 4096, 4096, nullptr));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemsetAsync(block, 4096, 5, 4096, stream_));
  ACL_OK(aclrtMemcpyAsync(kept_, 4096, block, 4096, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemcpyAsyncWithDesc(desc, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE, stream_));
  ACL_OK(aclrtMemPoolFreeAsync(block, stream_));
  ACL_OK(aclrtFree(freed_));  // so that the tasks look
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(static_cast<char*>(kept_)[4095], 5);
  EXPECT_EQ(static_cast<char*>(kept_)[8191], 5);
}

}  // namespace
}  // namespace canopy::test
