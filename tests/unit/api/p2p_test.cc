// Copies between devices: the link between them decides whether they go, and how. And memory that two processes use on two
// devices is one memory.
#include "runtime/device/staged_copy.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

#include <cstring>
#include <functional>
#include <sstream>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = 3 * kStagingBytes + 12345;  // whole chunks and a rest

class PeerCopy : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
    ACL_OK(aclrtDeviceEnablePeerAccess(kStaged, 0));
    mine_ = static_cast<std::byte*>(zeroed_memory(kBytes));
    near_ = pattern_on(kNear);
    staged_ = pattern_on(kStaged);
    ACL_OK(aclrtSetDevice(0));
    stream_ = make_stream();
  }
  static std::byte* pattern_on(int device) {
    EXPECT_EQ(aclrtSetDevice(device), ACL_SUCCESS);
    auto* memory = static_cast<std::byte*>(zeroed_memory(kBytes));
    for (size_t i = 0; i < kBytes; ++i) {
      memory[i] = static_cast<std::byte>(i * 7 + i / 251);
    }
    return memory;
  }
  // How much of it went through a buffer of the host.
  uint64_t staged_by(const std::function<aclError()>& copy) {
    const uint64_t before = staged_bytes();
    EXPECT_EQ(copy(), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
    return staged_bytes() - before;
  }

  std::byte* mine_ = nullptr;
  std::byte* near_ = nullptr;
  std::byte* staged_ = nullptr;
  aclrtStream stream_ = nullptr;
};

TEST_F(PeerCopy, GoesThroughTheHostWhereTheLinkIsStaged) {
  const auto now = [&](void* dst, const void* src) {
    return staged_by([=] { return aclrtMemcpy(dst, kBytes, src, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE); });
  };
  EXPECT_EQ(now(mine_, near_), 0u);
  ACL_OK(aclrtMemset(mine_, kBytes, 0, kBytes));
  EXPECT_EQ(now(mine_, staged_), kBytes);
  EXPECT_EQ(std::memcmp(mine_, staged_, kBytes), 0);
  EXPECT_EQ(now(staged_, mine_), kBytes) << "the other way round too";
  EXPECT_EQ(now(staged_, staged_), 0u) << "one and the same";
}

TEST_F(PeerCopy, InStreamOrderGoesTheSameWay) {
  EXPECT_EQ(staged_by([&] { return aclrtMemcpyAsync(mine_, kBytes, near_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_); }), 0u);
  ACL_OK(aclrtMemset(mine_, kBytes, 0, kBytes));
  EXPECT_EQ(staged_by([&] { return aclrtMemcpyAsync(mine_, kBytes, staged_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_); }),
            kBytes);
  EXPECT_EQ(std::memcmp(mine_, staged_, kBytes), 0);
}

TEST_F(PeerCopy, OfABatchGoesTheSameWayCopyByCopy) {
  void* dsts[] = {mine_, mine_ + 4096};
  size_t maxs[] = {100, 200};
  void* srcs[] = {staged_, staged_ + 4096};
  size_t sizes[] = {100, 200};
  aclrtMemcpyBatchAttr attr{};
  attr.dstLoc = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  attr.srcLoc = {static_cast<uint32_t>(kStaged), ACL_MEM_LOCATION_TYPE_DEVICE};
  size_t index = 0;
  size_t failed = 0;
  EXPECT_EQ(staged_by([&] { return aclrtMemcpyBatch(dsts, maxs, srcs, sizes, 2, &attr, &index, 1, &failed); }), 300u);
  EXPECT_EQ(staged_by([&] { return aclrtMemcpyBatchAsync(dsts, maxs, srcs, sizes, 2, &attr, &index, 1, &failed, stream_); }),
            300u);
  EXPECT_EQ(std::memcmp(mine_ + 4096, staged_ + 4096, 200), 0);
}

TEST_F(PeerCopy, OfRowsGoesTheSameWay) {
  const auto rows = [&](bool async) {
    return async ? aclrtMemcpy2dAsync(mine_, 512, staged_, 1024, 300, 100, ACL_MEMCPY_DEFAULT, stream_)
                 : aclrtMemcpy2d(mine_, 512, staged_, 1024, 300, 100, ACL_MEMCPY_DEFAULT);
  };
  for (const bool async : {false, true}) {
    ACL_OK(aclrtMemset(mine_, kBytes, 0, kBytes));
    EXPECT_EQ(staged_by([&] { return rows(async); }), 300u * 100) << async;
    EXPECT_EQ(std::memcmp(mine_ + 99 * 512, staged_ + 99 * 1024, 300), 0);
    EXPECT_EQ(mine_[300], std::byte{0}) << "the gap";
  }
}

TEST_F(PeerCopy, OfMemoryFreedInTheQueueFailsAsOthersDo) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(mine_, kBytes, staged_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_));
  ACL_OK(aclrtFree(staged_));
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_));
}

TEST_F(PeerCopy, BetweenProcessesGoesTheWayOfTheLinkToo) {
  MemoryProcess other(kStaged);
  ASSERT_EQ(other.ask("malloc {}", kBytes), "0");
  ASSERT_EQ(other.ask("write 0 61"), "0");
  const std::string key = other.ask("export 0 {} 1", kBytes).substr(2);
  void* there = nullptr;
  ACL_OK(aclrtIpcMemImportByKey(&there, key.c_str(), ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS));
  EXPECT_EQ(staged_by([&] { return aclrtMemcpy(mine_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE); }), kBytes);
  EXPECT_EQ(mine_[0], std::byte{61});
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

// Card 1 in one process, card 0 in the other: the same pages, and a store of a kernel is there at once.
TEST_F(PeerCopy, AKernelOnCardOneStoresIntoTheMemoryOfCardZeroItself) {
  char key[65];
  ACL_OK(aclrtIpcMemGetExportKey(mine_, kBytes, key, sizeof key, ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION));
  MemoryProcess card1(kNear);
  ASSERT_EQ(card1.ask("import {} 1", std::string(key)), "0");
  EXPECT_EQ(card1.ask("inode"), "0 " + std::to_string(inode_at(mine_)));
  ASSERT_EQ(card1.ask("store 77 88"), "0");
  const std::byte seen = *static_cast<volatile std::byte*>(mine_ + 77);
  EXPECT_EQ(seen, std::byte{88});
  ASSERT_EQ(card1.ask("close {}", std::string(key)), "0");
}

// Two devices in a process of its own, over a spec that says one thing about their link.
ROLE(asks_about_a_link) {
  aclInit(nullptr);
  aclrtSetDevice(1);
  void* there = nullptr;
  aclrtMalloc(&there, kBytes, ACL_MEM_MALLOC_HUGE_FIRST);
  aclrtSetDevice(0);
  void* here = nullptr;
  aclrtMalloc(&here, kBytes, ACL_MEM_MALLOC_HUGE_FIRST);
  int32_t can = -1;
  aclrtDeviceCanAccessPeer(&can, 0, 1);
  const auto copy = [&] { return aclrtMemcpy(here, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE); };
  const aclError without = copy();
  const aclError enabled = aclrtDeviceEnablePeerAccess(1, 0);
  const aclError with = copy();
  std::ostringstream answer;
  answer << can << " " << without << " " << enabled << " " << with << " " << (staged_bytes() == kBytes ? "staged" : "not staged");
  line.say(answer.str());
}

TEST(PeerLink, ThePathIsWhatTheSpecFileSays) {
  const auto answer = [](const std::string& link) {
    const std::string spec = write_scratch("link-" + link + ".json",
                                           R"({"canopy_spec": 1, "name": "two", "count": 2,
        "npu": {"soc": "TestNPU", "cube_cores": 2, "vector_cores": 4, "aicpu_cores": 2, "hbm": "64M", "ub": "192K"},
        "links": {"mesh": ")" + link + "\"}}");
    SecondProcess process("asks_about_a_link", {{"CANOPY_SOC_SPEC", spec}, {"CANOPY_HOST_TABLE", spec + ".table"}});
    return process.line().hear();
  };
  EXPECT_EQ(answer("hccs"), "1 207006 0 0 not staged");
  EXPECT_EQ(answer("phb"), "1 207006 0 0 staged");
  EXPECT_EQ(answer("none"), "0 207006 207000 207006 not staged");
}

}  // namespace
}  // namespace canopy::test
