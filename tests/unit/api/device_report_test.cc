// What the host's table tells of devices that a program uses, and what becomes of the program when the table says that
// a device is lost, a link is down, or somebody has reset it.
#include "runtime/driver/host_view.h"
#include "tests/unit/api/gate.h"

#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = 4096;

class DeviceReport : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    auto opened = HostView::open();
    ASSERT_TRUE(opened && *opened) << error_text::newest();
    view_.emplace(std::move(**opened));
    for (int device = 0; device < 2; ++device) {
      book().reset(device, true);
    }
    ACL_OK(aclrtSynchronizeDevice());
    stream_ = make_stream();
    first_event_ = book().events().read().events.back().number + 1;
  }
  void TearDown() override {
    for (int device = 0; view_ && device < 4; ++device) {
      book().clear(device);
    }
    AclTest::TearDown();
  }
  DeviceBook book() const { return view_->devices(); }
  DeviceReading device(int id) const { return book().read(id); }
  // Since this test began.
  int events(EventKind kind, int device) const {
    int count = 0;
    for (const DeviceEvent& event : book().events().read().events) {
      count += event.number >= first_event_ && event.kind == kind && event.device == device;
    }
    return count;
  }
  // Memory of device 1, with access to it from device 0.
  static void* memory_of_peer() {
    EXPECT_EQ(aclrtSetDevice(1), ACL_SUCCESS) << why();
    void* memory = zeroed_memory(kBytes);
    EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtDeviceEnablePeerAccess(1, 0), ACL_SUCCESS) << why();
    return memory;
  }

  std::optional<HostView> view_;
  uint64_t first_event_ = 0;
  aclrtStream stream_ = nullptr;
  std::vector<char> pageable_ = std::vector<char>(kBytes);
};

TEST_F(DeviceReport, TellsWhatTheDeviceIsAndWhoOpensIt) {
  EXPECT_EQ(device(0).state, DeviceState::ready);
  EXPECT_EQ(device(0).facts.soc, "TestNPU");
  EXPECT_EQ(device(0).facts.hbm_bytes, uint64_t{256} << 20);
  EXPECT_EQ(device(0).facts.aicpu_cores, 6u);
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtResetDevice(1));
  EXPECT_EQ(events(EventKind::open, 1), 1);
  EXPECT_EQ(events(EventKind::close, 1), 1);
}

TEST_F(DeviceReport, CopiesAreCountedByTheirEnds) {
  void* here = zeroed_memory(kBytes);
  void* there = memory_of_peer();
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, kBytes));
  ACL_OK(aclrtMemcpy(here, kBytes, pageable_.data(), 100, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpyAsync(here, kBytes, pinned, 20, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemcpyAsync(pinned, kBytes, here, 3, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemcpyAsync(pageable_.data(), kBytes, here, 4, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemcpyAsync(there, kBytes, here, 1000, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtMemcpy(here, kBytes, there, 500, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpy2d(there, 64, here, 128, 32, 10, ACL_MEMCPY_DEFAULT));
  EXPECT_EQ(device(0).from_host, 120u);
  EXPECT_EQ(device(0).to_host, 7u);
  EXPECT_EQ(book().link_bytes(0, 1), 1320u);
  EXPECT_EQ(book().link_bytes(1, 0), 500u);
  EXPECT_EQ(book().link_bytes(0, 0), 0u);
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(DeviceReport, RefusedCopyIsNotCounted) {
  void* here = zeroed_memory(kBytes);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpy(here, kBytes, pageable_.data(), kBytes + 1, ACL_MEMCPY_DEFAULT));
  EXPECT_EQ(device(0).from_host, 0u);
}

TEST_F(DeviceReport, FullDeviceIsCounted) {
  void* memory = nullptr;
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMalloc(&memory, size_t{300} << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMalloc(&memory, size_t{200} << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  EXPECT_EQ(device(0).error(DeviceError::out_of_memory), 1u);
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMalloc(&memory, size_t{100} << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  EXPECT_EQ(device(0).error(DeviceError::out_of_memory), 2u);
  EXPECT_EQ(events(EventKind::out_of_memory, 0), 2);
}

TEST_F(DeviceReport, AbortsAreCounted) {
  ACL_OK(aclrtDeviceTaskAbort(0, 0));
  ACL_OK(aclrtStreamAbort(stream_));
  EXPECT_EQ(device(0).error(DeviceError::abort), 2u);
}

TEST_F(DeviceReport, WaitThatRunsOutOfTimeIsCounted) {
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateNotify(&notify, ACL_NOTIFY_DEFAULT));
  ACL_OK(aclrtWaitAndResetNotify(notify, stream_, 1));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(stream_));
  EXPECT_EQ(device(0).error(DeviceError::timeout), 1u);
  ACL_OK(aclrtDestroyNotify(notify));
}

TEST_F(DeviceReport, LostDeviceTakesNoWorkUntilCleared) {
  void* here = zeroed_memory(kBytes);
  book().inject_lost(0);
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  ACL_OK(aclrtQueryDeviceStatus(0, &status));
  EXPECT_EQ(status, ACL_RT_DEVICE_STATUS_ABNORMAL);
  ACL_OK(aclrtQueryDeviceStatus(1, &status));
  EXPECT_EQ(status, ACL_RT_DEVICE_STATUS_NORMAL);
  std::atomic<int> ran{0};
  // A launch first: it notices by itself.
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtLaunchHostFunc(stream_, add, &ran));
  EXPECT_NE(std::string(why()).find("device 0 is lost"), std::string::npos) << why();
  Gate gate;
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, gate.close(nullptr));
  void* memory = nullptr;
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMemcpy(here, kBytes, pageable_.data(), 8, ACL_MEMCPY_DEFAULT));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT,
           aclrtMemcpyAsync(here, kBytes, here, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMemset(here, kBytes, 0, 8));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMemsetAsync(here, kBytes, 0, 8, stream_));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtMemsetD32(here, kBytes, 0, 2));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSynchronizeStream(stream_));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSynchronizeDevice());
  aclrtStream stream = nullptr;
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtCreateStream(&stream));
  aclrtContext context = nullptr;
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtCreateContext(&context, 0));
  // What gives back works.
  ACL_OK(aclrtFree(here));
  // Another device is not concerned.
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtLaunchHostFunc(nullptr, add, &ran));
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), 1);
  book().clear(0);
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtLaunchHostFunc(stream_, add, &ran));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ran.load(), 2);
  ACL_OK(aclrtQueryDeviceStatus(0, &status));
  EXPECT_EQ(status, ACL_RT_DEVICE_STATUS_NORMAL);
}

TEST_F(DeviceReport, LostDeviceCannotBeOpenedAndLeavesItsNeighboursAlone) {
  book().inject_lost(1);
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSetDevice(1));
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtDeviceEnablePeerAccess(1, 0));
  zeroed_memory(kBytes);
  book().clear(1);
  ACL_OK(aclrtSetDevice(1));
}

TEST_F(DeviceReport, ErrorVerboseTellsTheWorstInjectedFault) {
  const auto told = [](int device) {
    aclrtErrorInfo info;
    std::memset(&info, 0xFF, sizeof info);
    EXPECT_EQ(aclrtGetErrorVerbose(device, &info), ACL_SUCCESS) << why();
    EXPECT_EQ(info.tryRepair, 0);
    EXPECT_EQ(info.hasDetail, 0);
    return info.errorType;
  };
  EXPECT_EQ(told(0), ACL_RT_NO_ERROR);
  book().inject_ecc(0);
  EXPECT_EQ(told(0), ACL_RT_ERROR_MEMORY);
  book().inject_link_down(0, 1);
  EXPECT_EQ(told(0), ACL_RT_ERROR_LINK);
  EXPECT_EQ(told(1), ACL_RT_ERROR_LINK) << "a link has two ends";
  book().inject_lost(0);
  EXPECT_EQ(told(0), ACL_RT_ERROR_OTHERS);
  EXPECT_EQ(told(2), ACL_RT_NO_ERROR);
  aclrtErrorInfo info{};
  info.errorType = ACL_RT_ERROR_OTHERS;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtRepairError(0, &info));
  EXPECT_NE(std::string(why()).find("canopy smi --clear"), std::string::npos) << why();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRepairError(2, &info));
  info.errorType = ACL_RT_NO_ERROR;
  ACL_OK(aclrtRepairError(0, &info));
  book().clear(0);
  EXPECT_EQ(told(0), ACL_RT_NO_ERROR);
}

TEST_F(DeviceReport, WorkOfALostDeviceIsDropped) {
  Gate gate;
  std::atomic<int> ran{0};
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtLaunchHostFunc(stream_, add, &ran));
  book().inject_lost(0);
  ACL_CODE(ACL_ERROR_RT_LOST_HEARTBEAT, aclrtSynchronizeStream(stream_));
  book().clear(0);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ran.load(), 0);
}

TEST_F(DeviceReport, LinkThatIsDownRefusesAccessAndCopies) {
  void* here = zeroed_memory(kBytes);
  void* there = memory_of_peer();
  book().inject_link_down(0, 1);
  ACL_CODE(ACL_ERROR_RT_LINK_ERROR, aclrtMemcpy(there, kBytes, here, 8, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_NE(std::string(why()).find("the link between devices 0 and 1 is down"), std::string::npos) << why();
  ACL_CODE(ACL_ERROR_RT_LINK_ERROR,
           aclrtMemcpyAsync(here, kBytes, there, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_));
  ACL_OK(aclrtDeviceDisablePeerAccess(1));
  ACL_CODE(ACL_ERROR_RT_LINK_ERROR, aclrtDeviceEnablePeerAccess(1, 0));
  ACL_OK(aclrtMemcpy(here, kBytes, pageable_.data(), 8, ACL_MEMCPY_DEFAULT));
  book().clear(1);
  ACL_OK(aclrtDeviceEnablePeerAccess(1, 0));
  ACL_OK(aclrtMemcpy(there, kBytes, here, 8, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_EQ(book().link_bytes(0, 1), 8u);
}

TEST_F(DeviceReport, ResetDropsWhatIsPendingAndTheProgramGoesOn) {
  Gate gate;
  std::atomic<int> ran{0};
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtLaunchHostFunc(stream_, add, &ran));
  book().reset(0, true);
  ACL_OK(aclrtSynchronizeStream(stream_));  // notices: nothing is left to wait for
  EXPECT_EQ(ran.load(), 0);
  ACL_OK(aclrtLaunchHostFunc(stream_, add, &ran));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(DeviceReport, WhoWaitsForWhatAResetDropsHearsOfIt) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  std::atomic<bool> waits{false};
  aclError heard = ACL_SUCCESS;
  std::thread waiter([&] {
    EXPECT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
    waits.store(true);
    heard = aclrtSynchronizeStream(stream_);
  });
  while (!waits.load()) {
    std::this_thread::yield();
  }
  book().reset(0, true);
  ACL_OK(aclrtSynchronizeDevice());
  waiter.join();
  // Success when the thread had not begun to wait yet.
  EXPECT_TRUE(heard == ACL_ERROR_RT_DEVICE_TASK_ABORT || heard == ACL_SUCCESS) << heard;
}

// No host function may wait for the stream that calls it.
TEST_F(DeviceReport, FunctionThatAStreamCallsLeavesTheNewsToOthers) {
  struct Act {
    DeviceBook book;
    aclError code = ACL_SUCCESS;
  } act{book()};
  ACL_OK(aclrtLaunchHostFunc(
      stream_,
      [](void* p) {
        auto* act = static_cast<Act*>(p);
        act->book.reset(0, true);
        void* memory = nullptr;
        act->code = aclrtMallocHost(&memory, 64);
        aclrtFreeHost(memory);
      },
      &act));
  (void)aclrtSynchronizeStream(stream_);  // may have begun before the reset, or hear of it
  ACL_OK(aclrtSynchronizeStream(stream_));
}

}  // namespace
}  // namespace canopy::test
