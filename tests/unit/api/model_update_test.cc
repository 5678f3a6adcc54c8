// Tasks of models that are changed after they were queued.
#include "tests/unit/api/models.h"

#include <cstring>
#include <string>

namespace canopy::test {
namespace {

class ModelUpdate : public ModelTest {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary_));
    stream_ = bound();
    exec_ = make_stream();
    memory_ = static_cast<std::byte*>(zeroed_memory(512));
  }
  aclrtFuncHandle function(const char* name) const {
    aclrtFuncHandle found = nullptr;
    EXPECT_EQ(aclrtBinaryGetFunction(binary_, name, &found), ACL_SUCCESS) << why();
    return found;
  }
  // The number of the task.
  uint32_t launch_on_stream(const char* name, const void* args, size_t bytes) {
    EXPECT_EQ(aclrtLaunchKernelWithHostArgs(function(name), 1, stream_, nullptr,
                                            const_cast<void*>(args), bytes, nullptr, 0),
              ACL_SUCCESS)
        << why();
    return last_task();
  }
  static uint32_t last_task() {
    uint32_t number = 0;
    EXPECT_EQ(aclrtGetThreadLastTaskId(&number), ACL_SUCCESS) << why();
    return number;
  }
  aclError update_kernel(uint32_t task, uint64_t entry, uint32_t blocks) {
    std::memcpy(memory_, &entry, sizeof entry);
    std::memcpy(memory_ + 8, &blocks, sizeof blocks);
    aclrtTaskUpdateInfo info = {};
    info.id = ACL_RT_UPDATE_AIC_AIV_TASK;
    info.val.aicAivTaskAttr.binHandle = binary_;
    info.val.aicAivTaskAttr.funcEntryAddr = memory_;
    info.val.aicAivTaskAttr.blockDimAddr = memory_ + 8;
    return aclrtTaskUpdateAsync(stream_, task, &info, exec_);
  }
  aclError update_random(uint32_t task, const aclrtRandomNumTaskInfo& to, size_t size) {
    std::memcpy(memory_, &to, sizeof to);
    aclrtTaskUpdateInfo info = {};
    info.id = ACL_RT_UPDATE_RANDOM_TASK;
    info.val.randomTaskAttr.srcAddr = memory_;
    info.val.randomTaskAttr.size = size;
    return aclrtTaskUpdateAsync(stream_, task, &info, exec_);
  }
  template <class T>
  static aclrtRandomParaInfo number(T value) {
    aclrtRandomParaInfo info{};
    std::memcpy(info.valueOrAddr, &value, sizeof value);
    info.size = sizeof value;
    return info;
  }
  aclrtRandomNumTaskInfo uniform(float least, float most) const {
    aclrtRandomNumTaskInfo task = {};
    task.dataType = ACL_FLOAT;
    task.randomNumFuncParaInfo.funcType = ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS;
    task.randomNumFuncParaInfo.paramInfo.uniformDisInfo = {number(least), number(most)};
    task.randomResultAddr = words_;
    task.randomSeed = number<uint64_t>(1);
    task.randomNum = number<uint64_t>(1);
    return task;
  }
  float drawn() const {
    float value;
    std::memcpy(&value, words_, sizeof value);
    return value;
  }

  aclrtBinHandle binary_ = nullptr;
  aclrtStream stream_ = nullptr;
  aclrtStream exec_ = nullptr;
  std::byte* memory_ = nullptr;  // of device memory
};

struct AddUp {
  uint64_t* out;
  uint64_t value;
};

TEST_F(ModelUpdate, GivesAKernelsTaskAnotherKernel) {
  const AddUp args{words_, 5};
  ACL_OK(note(stream_, 0));
  const uint32_t task = launch_on_stream("add_up", &args, sizeof args);
  ACL_OK(end_and_build(stream_));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 5u);
  void* aic = nullptr;
  void* entry = nullptr;
  ACL_OK(aclrtGetFunctionAddr(function("count_calls"), &aic, &entry));
  ACL_OK(update_kernel(task, reinterpret_cast<uint64_t>(entry), 1));
  ACL_OK(aclrtSynchronizeStream(exec_));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 1u) << "the first call of the other";
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 2u);
}

TEST_F(ModelUpdate, ComesInTheOrderOfItsStream) {
  const AddUp args{words_, 5};
  const uint32_t task = launch_on_stream("add_up", &args, sizeof args);
  ACL_OK(end_and_build(stream_));
  Gate gate;
  ACL_OK(gate.close(exec_));
  ACL_OK(aclmdlRIExecuteAsync(model_, exec_));
  ACL_OK(update_kernel(task, 10022, 1)) << "does nothing, and is named by its number";
  ACL_OK(aclmdlRIExecuteAsync(model_, exec_));
  EXPECT_EQ(word(0), 0u);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(exec_));
  EXPECT_EQ(word(0), 5u) << "once, before the update";
}

TEST_F(ModelUpdate, MayComeBeforeTheModelIsBuilt) {
  const AddUp args{words_, 5};
  const uint32_t task = launch_on_stream("add_up", &args, sizeof args);
  ACL_OK(update_kernel(task, 10022, 1));
  ACL_OK(aclrtSynchronizeStream(exec_));
  ACL_OK(end_and_build(stream_));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 0u);
}

TEST_F(ModelUpdate, FailsWith507013WhenWhatItFindsIsWrong) {
  const uint32_t task = launch_on_stream("tiled_10022", nullptr, 0);
  ACL_OK(end_and_build(stream_));
  void* entry = nullptr;
  void* aiv = nullptr;
  ACL_OK(aclrtGetFunctionAddr(function("add_up"), &entry, &aiv));
  for (const auto& [address, blocks] :
       {std::pair<uint64_t, uint32_t>{reinterpret_cast<uint64_t>(entry), 1}, {77, 1}, {10022, 0}}) {
    ACL_OK(update_kernel(task, address, blocks));
    ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(exec_));
  }
  ACL_OK(aclmdlRIExecute(model_, -1)) << "the task is as it was";
}

TEST_F(ModelUpdate, HasARandomTaskDrawOthers) {
  const aclrtRandomNumTaskInfo before = uniform(1, 2);
  ACL_OK(aclrtRandomNumAsync(&before, stream_, nullptr));
  const uint32_t task = last_task();
  ACL_OK(end_and_build(stream_));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_GE(drawn(), 1);
  EXPECT_LT(drawn(), 2);
  ACL_OK(update_random(task, uniform(5, 6), sizeof before));
  ACL_OK(aclrtSynchronizeStream(exec_));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_GE(drawn(), 5);
  EXPECT_LT(drawn(), 6);
  aclrtRandomNumTaskInfo wrong = uniform(5, 6);
  wrong.dataType = ACL_STRING;
  ACL_OK(update_random(task, wrong, sizeof wrong));
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(exec_));
}

TEST_F(ModelUpdate, IsForTasksOfItsKindOnly) {
  const uint32_t kernel = launch_on_stream("tiled_10022", nullptr, 0);
  const aclrtRandomNumTaskInfo draw = uniform(1, 2);
  ACL_OK(aclrtRandomNumAsync(&draw, stream_, nullptr));
  const uint32_t random = last_task();
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT_UPDATE_OP, update_kernel(random, 10022, 1));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT_UPDATE_OP, update_random(kernel, draw, sizeof draw));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, update_random(random, draw, sizeof draw - 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, update_kernel(random + 1, 10022, 1)) << "there is none";
}

TEST_F(ModelUpdate, IsForBoundStreamsOnly) {
  aclrtTaskUpdateInfo info = {};
  info.id = ACL_RT_UPDATE_AIC_AIV_TASK;
  info.val.aicAivTaskAttr = {binary_, memory_, memory_ + 8, {}};
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtTaskUpdateAsync(make_stream(), 0, &info, exec_));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtTaskUpdateAsync(make_persistent(), 0, &info, exec_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtTaskUpdateAsync(nullptr, 0, &info, exec_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtTaskUpdateAsync(stream_, 0, nullptr, exec_));
  info.id = static_cast<aclrtUpdateTaskAttrId>(3);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtTaskUpdateAsync(stream_, 0, &info, exec_));
}

TEST_F(ModelUpdate, OfAModelThatIsGoneFailsWith507013) {
  const uint32_t task = launch_on_stream("tiled_10022", nullptr, 0);
  ACL_OK(end_and_build(stream_));
  Gate gate;
  ACL_OK(gate.close(exec_));
  ACL_OK(update_kernel(task, 10022, 1));
  ACL_OK(aclmdlRIDestroy(model_));
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(exec_));
}

}  // namespace
}  // namespace canopy::test
