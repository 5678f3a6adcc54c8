// Attributes of launches: what each one does, and what is refused.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <atomic>
#include <thread>
#include <vector>

namespace {

__global__ __aicore__ void mark_index(uint32_t* out, uint32_t first) {
  out[GetBlockIdx() - first] = GetBlockIdx();
}
CANOPY_KERNEL(mark_index)

__global__ __aicore__ void tell_buffer(uint32_t* out) { *out = canopy_dynamic_buffer_bytes(); }
CANOPY_KERNEL(tell_buffer)

__global__ __aicore__ void tell_kind(uint32_t* out) { *out = canopy_core_kind(); }
CANOPY_KERNEL_MIX(tell_kind)
__global__ __aicore__ void tell_kind_of_vector(uint32_t* out) { *out = canopy_core_kind(); }
CANOPY_KERNEL(tell_kind_of_vector)

struct Crowd {
  std::atomic<uint32_t> inside{0};
  std::atomic<uint32_t> most{0};
  std::atomic<uint32_t> ran{0};
  std::atomic<bool> leave{false};
};

// Stays on its core until it is told to leave.
__global__ __aicore__ void stay(Crowd* crowd) {
  crowd->inside.fetch_add(1);
  canopy_wait_until([](void* p) -> int { return static_cast<Crowd*>(p)->leave.load(); }, crowd,
                    "the end of a test");
  crowd->inside.fetch_sub(1);
  crowd->ran.fetch_add(1);
}
CANOPY_KERNEL(stay)

// Passes only when every block has a core.
__global__ __aicore__ void gather(Crowd* crowd) {
  SyncAll();
  crowd->ran.fetch_add(1);
}
CANOPY_KERNEL(gather)

}  // namespace

namespace canopy::test {
namespace {

using AttrId = aclrtLaunchKernelAttrId;

class LaunchAttribute : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    out_ = static_cast<uint32_t*>(zeroed_memory(4096));
    int64_t cores = 0;
    ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_VECTOR_CORE_NUM, &cores));
    cores_ = static_cast<uint32_t>(cores);
  }
  static aclrtLaunchKernelAttr attribute(AttrId id) {
    aclrtLaunchKernelAttr attr{};
    attr.id = id;
    return attr;
  }
  template <class... P, class... A>
  aclError launch_with(std::vector<aclrtLaunchKernelAttr> attrs, void (*kernel)(P...),
                       uint32_t blocks, A... args) {
    aclrtLaunchKernelCfg cfg{attrs.data(), attrs.size()};
    void* pointers[] = {&args...};
    return aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(kernel), blocks, stream_, &cfg,
                                          pointers);
  }
  static void await(const std::atomic<uint32_t>& word, uint32_t value) {
    while (word.load() != value) {
      std::this_thread::yield();
    }
  }

  aclrtStream stream_ = nullptr;
  uint32_t* out_ = nullptr;
  uint32_t cores_ = 0;
};

TEST_F(LaunchAttribute, BlockDimOffsetIsTheFirstBlocksIndex) {
  auto offset = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET);
  for (const uint32_t first : {0u, 7u, 70'000u, ~0u - 12}) {
    offset.value.blockDimOffset = first;
    ACL_OK(launch_with({offset}, mark_index, 12, out_, first));
    ACL_OK(aclrtSynchronizeStream(stream_));
    for (uint32_t i = 0; i < 12; ++i) {
      EXPECT_EQ(out_[i], first + i);
    }
    ACL_OK(launch_with({offset}, mark_index, 1, out_, first));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(out_[0], first);
  }
  offset.value.blockDimOffset = ~0u - 11;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({offset}, mark_index, 12, out_, 0u));
}

TEST_F(LaunchAttribute, BlockDimOffsetHoldsInEveryFormOfLaunch) {
  auto offset = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_BLOCKDIM_OFFSET);
  offset.value.blockDimOffset = 5;
  aclrtLaunchKernelCfg cfg{&offset, 1};
  struct {
    uint32_t* out;
    uint32_t first;
    uint32_t padding;
  } args{out_, 5, 0};
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&mark_index), &function));
  void* blob = nullptr;
  ACL_OK(aclrtMalloc(&blob, sizeof args, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemcpy(blob, sizeof args, &args, sizeof args, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_OK(aclrtLaunchKernelV2(function, 3, blob, sizeof args, &cfg, stream_));
  args.out = out_ + 100;
  ACL_OK(aclrtLaunchKernelWithHostArgs(function, 3, stream_, &cfg, &args, sizeof args, nullptr, 0));
  args.out = out_ + 200;
  aclrtArgsHandle handle = nullptr;
  aclrtParamHandle parameter = nullptr;
  ACL_OK(aclrtKernelArgsInit(function, &handle));
  ACL_OK(aclrtKernelArgsAppend(handle, &args.out, 8, &parameter));
  ACL_OK(aclrtKernelArgsAppend(handle, &args.first, 4, &parameter));
  ACL_OK(aclrtKernelArgsFinalize(handle));
  ACL_OK(aclrtLaunchKernelWithConfig(function, 3, stream_, &cfg, handle, nullptr));
  ACL_OK(aclrtSynchronizeStream(stream_));
  for (int at : {0, 100, 200}) {
    EXPECT_EQ(out_[at + 2], 7u) << at;
  }
}

TEST_F(LaunchAttribute, DynUbufSizeReachesTheKernelAndIsBounded) {
  size_t most = 0;
  ACL_OK(aclrtFunctionGetAvailDynUbufPerBlock(reinterpret_cast<void*>(&tell_buffer), 0, &most));
  auto size = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE);
  size.value.dynUBufSize = static_cast<uint32_t>(most);
  ACL_OK(launch_with({size}, tell_buffer, 1, out_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*out_, most);
  size.value.dynUBufSize = static_cast<uint32_t>(most) + 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({size}, tell_buffer, 1, out_));
  ACL_OK(launch(tell_buffer, 1, stream_, out_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*out_, 0u);
}

TEST_F(LaunchAttribute, EngineTypeSendsMixedKernelsToOneKind) {
  auto engine = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE);
  const struct {
    aclrtEngineType type;
    uint32_t kind;
  } rows[] = {{ACL_RT_ENGINE_TYPE_AIC, CANOPY_CORE_CUBE},
              {ACL_RT_ENGINE_TYPE_AIV, CANOPY_CORE_VECTOR}};
  for (const auto& row : rows) {
    engine.value.engineType = row.type;
    ACL_OK(launch_with({engine}, tell_kind, 1, out_));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(*out_, row.kind);
  }
  engine.value.engineType = ACL_RT_ENGINE_TYPE_AIV;
  ACL_OK(launch_with({engine}, tell_kind_of_vector, 1, out_));
  engine.value.engineType = ACL_RT_ENGINE_TYPE_AIC;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({engine}, tell_kind_of_vector, 1, out_));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(LaunchAttribute, SchedModeBatchStartsNoBlockBeforeThereIsACoreForEach) {
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  Crowd holders;
  Crowd batch;
  batch.leave.store(true);
  ACL_OK(launch(stay, 1, other, &holders));
  await(holders.inside, 1);
  auto mode = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE);
  mode.value.schemMode = 1;
  ACL_OK(launch_with({mode}, stay, cores_, &batch));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 50), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(batch.ran.load(), 0u) << "one core of them is busy";
  holders.leave.store(true);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(batch.ran.load(), cores_);
  ACL_OK(aclrtSynchronizeStream(other));
}

TEST_F(LaunchAttribute, SchedModeNormalStartsWithTheFirstFreeCore) {
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  Crowd holders;
  Crowd normal;
  normal.leave.store(true);
  ACL_OK(launch(stay, 1, other, &holders));
  await(holders.inside, 1);
  auto mode = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE);
  ACL_OK(launch_with({mode}, stay, cores_, &normal));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(normal.ran.load(), cores_);
  holders.leave.store(true);
  ACL_OK(aclrtSynchronizeStream(other));
}

TEST_F(LaunchAttribute, BatchesOfSeveralStreamsAllRun) {
  auto mode = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE);
  mode.value.schemMode = 1;
  aclrtLaunchKernelCfg cfg{&mode, 1};
  Crowd crowd;
  Crowd* pointer = &crowd;
  void* args[] = {&pointer};
  std::vector<aclrtStream> streams(4);
  for (aclrtStream& stream : streams) {
    ACL_OK(aclrtCreateStream(&stream));
  }
  for (int i = 0; i < 100; ++i) {
    for (aclrtStream stream : streams) {
      ACL_OK(aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(&gather), cores_ - 1, stream,
                                            &cfg, args));
    }
  }
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(crowd.ran.load(), 400 * (cores_ - 1));
}

TEST_F(LaunchAttribute, ABatchOfMoreBlocksThanCoresIs107000) {
  auto mode = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE);
  mode.value.schemMode = 1;
  Crowd crowd;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({mode}, gather, cores_ + 1, &crowd));
  ACL_OK(launch_with({mode}, gather, cores_, &crowd));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(LaunchAttribute, HintsAreTakenAndChangeNothing) {
  auto prefetch = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH);
  auto dump = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP);
  auto profiling = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING);
  for (const uint8_t on : {uint8_t{0}, uint8_t{1}}) {
    prefetch.value.isBlockTaskPrefetch = on;
    dump.value.isDataDump = on;
    profiling.value.enableProfiling = on;
    ACL_OK(launch_with({prefetch, dump, profiling}, mark_index, 4, out_, 0u));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(out_[3], 3u);
  }
}

TEST_F(LaunchAttribute, ValuesThatAreNoneAre107000) {
  for (const AttrId id :
       {ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE, ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH,
        ACL_RT_LAUNCH_KERNEL_ATTR_DATA_DUMP, ACL_RT_LAUNCH_KERNEL_ATTR_ENABLE_PROFILING,
        ACL_RT_LAUNCH_KERNEL_ATTR_ENGINE_TYPE}) {
    auto attr = attribute(id);
    attr.value.rsv[0] = 2;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({attr}, mark_index, 1, out_, 0u)) << id;
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           launch_with({attribute(static_cast<AttrId>(0))}, mark_index, 1, out_, 0u));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           launch_with({attribute(static_cast<AttrId>(10))}, mark_index, 1, out_, 0u));
}

TEST_F(LaunchAttribute, GivenTwiceOrAnnouncedAndNotGivenIs107000) {
  auto size = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with({size, size}, mark_index, 1, out_, 0u));
  aclrtLaunchKernelCfg cfg{nullptr, 1};
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&mark_index), &function));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernelV2(function, 1, out_, 16, &cfg, stream_));
}

TEST_F(LaunchAttribute, MoreThanThereAreKindsAre107000AndNotRead) {
  auto size = attribute(ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE);
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&mark_index), &function));
  for (const size_t count : {size_t{10}, ~size_t{0}}) {
    aclrtLaunchKernelCfg cfg{&size, count};
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernelV2(function, 1, out_, 16, &cfg, stream_));
    EXPECT_EQ(std::string(why()), "launch: " + std::to_string(count) + " attributes, one of each kind, there are 9 at most");
  }
}

}  // namespace
}  // namespace canopy::test
