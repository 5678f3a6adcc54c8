// aclrtRandomNumAsync: its arguments, its order, what it refuses. The numbers:
// unit/device/random_test.cc.
#include "tests/unit/api/gate.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

template <class T>
aclrtRandomParaInfo number(T value) {
  aclrtRandomParaInfo info{};
  std::memcpy(info.valueOrAddr, &value, sizeof value);
  info.size = sizeof value;
  return info;
}

aclrtRandomParaInfo at(const void* address, uint8_t bytes) {
  aclrtRandomParaInfo info{};
  info.isAddr = 1;
  std::memcpy(info.valueOrAddr, &address, sizeof address);
  info.size = bytes;
  return info;
}

class RandomNumbers : public AclTest {
 protected:
  static constexpr uint64_t kCount = 1000;
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&out_, kCount * 8, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMalloc(&other_, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(out_, kCount * 8, 0, kCount * 8));
    ACL_OK(aclrtMemset(other_, 64, 0, 64));
    task_ = {};
    task_.dataType = ACL_FLOAT;
    task_.randomNumFuncParaInfo.funcType = ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS;
    uniform().min = number(0.0f);
    uniform().max = number(1.0f);
    task_.randomResultAddr = out_;
    task_.randomSeed = number<uint64_t>(1);
    task_.randomNum = number<uint64_t>(kCount);
  }
  aclrtUniformDisInfo& uniform() { return task_.randomNumFuncParaInfo.paramInfo.uniformDisInfo; }
  aclrtNormalDisInfo& normal() { return task_.randomNumFuncParaInfo.paramInfo.normalDisInfo; }
  aclError queue() { return aclrtRandomNumAsync(&task_, stream_, nullptr); }
  std::vector<uint8_t> result() {
    EXPECT_EQ(queue(), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
    std::vector<uint8_t> bytes(kCount * 8);
    EXPECT_EQ(
        aclrtMemcpy(bytes.data(), bytes.size(), out_, bytes.size(), ACL_MEMCPY_DEVICE_TO_HOST),
        ACL_SUCCESS);
    return bytes;
  }

  aclrtStream stream_ = nullptr;
  void* out_ = nullptr;
  void* other_ = nullptr;
  aclrtRandomNumTaskInfo task_;
};

TEST_F(RandomNumbers, AreTheSameForTheSameSeedAndCounter) {
  const auto first = result();
  EXPECT_EQ(result(), first);
  task_.randomCounterAddr = other_;  // holds 0
  EXPECT_EQ(result(), first);
  uint64_t one = 1;
  ACL_OK(aclrtMemcpy(other_, 8, &one, 8, ACL_MEMCPY_HOST_TO_DEVICE));
  EXPECT_NE(result(), first);
  task_.randomCounterAddr = nullptr;
  task_.randomSeed = number<uint64_t>(2);
  EXPECT_NE(result(), first);
}

TEST_F(RandomNumbers, OfEveryTypeAndFunctionStayInTheirMemory) {
  const struct {
    aclDataType type;
    uint8_t bytes;
    bool floating;
  } types[] = {{ACL_INT32, 4, false},  {ACL_UINT32, 4, false}, {ACL_INT64, 8, false},
               {ACL_UINT64, 8, false}, {ACL_FLOAT, 4, true},   {ACL_FLOAT16, 2, true},
               {ACL_BF16, 2, true}};
  for (const auto& type : types) {
    for (int function = 0; function < 4; ++function) {
      task_.dataType = type.type;
      task_.randomNumFuncParaInfo.funcType = static_cast<aclrtRandomNumFuncType>(function);
      // 0 and a small number: valid in all types, and as a ratio.
      uniform().min = number<uint64_t>(0);
      uniform().max = number<uint64_t>(type.type == ACL_FLOAT  ? 0x3F800000
                                       : type.type == ACL_BF16 ? 0x3F80
                                                               : 0x3C00);
      uniform().min.size = uniform().max.size = type.bytes;
      task_.randomNum = number<uint64_t>(kCount / 2);
      if (!type.floating && function != ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS) {
        ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, queue()) << type.type << " " << function;
        continue;
      }
      ACL_OK(aclrtMemset(out_, kCount * 8, 0, kCount * 8));
      const auto bytes = result();
      const size_t used = function == 0 ? (kCount / 2 + 7) / 8 : kCount / 2 * type.bytes;
      EXPECT_TRUE(std::any_of(bytes.begin(), bytes.begin() + static_cast<long>(used),
                              [](uint8_t b) { return b != 0; }));
      EXPECT_TRUE(std::all_of(bytes.begin() + static_cast<long>(used), bytes.end(),
                              [](uint8_t b) { return b == 0; }));
    }
  }
}

TEST_F(RandomNumbers, TakeParametersFromMemoryWhenTheStreamGetsThere) {
  uniform().min = number(3.0f);
  uniform().max = number(4.0f);
  task_.randomSeed = number<uint64_t>(5);
  const auto expected = result();
  struct {
    float min, max;
    uint64_t seed, count;
  } values{3, 4, 5, kCount};
  auto* memory = static_cast<char*>(other_);
  uniform().min = at(memory, 4);
  uniform().max = at(memory + 4, 4);
  task_.randomSeed = at(memory + 8, 8);
  task_.randomNum = at(memory + 16, 8);
  ACL_OK(aclrtMemset(out_, kCount * 8, 0, kCount * 8));
  Gate gate;
  ACL_OK(gate.close(stream_));
  OpenAtEnd at_end(gate, stream_);
  ACL_OK(queue());
  ACL_OK(aclrtMemcpy(other_, 64, &values, sizeof values, ACL_MEMCPY_HOST_TO_DEVICE));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  std::vector<uint8_t> bytes(kCount * 8);
  ACL_OK(aclrtMemcpy(bytes.data(), bytes.size(), out_, bytes.size(), ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(bytes, expected);
}

TEST_F(RandomNumbers, WrongParametersInMemoryFailTheTaskWith507013) {
  uniform().min = at(other_, 4);  // 0
  uniform().max = at(other_, 4);
  ACL_OK(queue());
  ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_SYS_DMA);
  EXPECT_NE(std::string(why()).find("no number is at least 0 and below 0"), std::string::npos);
  uniform().min = number(0.0f);
  uniform().max = number(1.0f);
  uint64_t too_many = 1'000'000'000;
  ACL_OK(aclrtMemcpy(other_, 8, &too_many, 8, ACL_MEMCPY_HOST_TO_DEVICE));
  task_.randomNum = at(other_, 8);
  ACL_OK(queue());
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_))
      << "the result does not hold them";
}

TEST_F(RandomNumbers, MemoryFreedMeanwhileFailsTheTaskWith507013) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(queue());
  ACL_OK(aclrtFree(out_));
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream_));
}

TEST_F(RandomNumbers, WrongArgumentsAre107000) {
  const auto expect_refused = [&](auto&& change) {
    const aclrtRandomNumTaskInfo before = task_;
    change();
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, queue());
    task_ = before;
  };
  float host = 0;
  expect_refused([&] { task_.dataType = ACL_DOUBLE; });
  expect_refused(
      [&] { task_.randomNumFuncParaInfo.funcType = static_cast<aclrtRandomNumFuncType>(4); });
  expect_refused([&] { uniform().max = number(0.0f); });
  expect_refused([&] { uniform().max = number(1.0); });
  expect_refused([&] { uniform().max.isAddr = 2; });
  expect_refused([&] { uniform().min = at(&host, 4); });
  expect_refused([&] { task_.randomNum = number<uint64_t>(2 * kCount + 16); });
  expect_refused([&] { task_.randomNum.size = 9; });
  expect_refused([&] { task_.randomSeed.size = 0; });
  expect_refused([&] { task_.randomResultAddr = static_cast<char*>(out_) + 2; });
  expect_refused([&] { task_.randomResultAddr = &host; });
  expect_refused([&] { task_.randomCounterAddr = &host; });
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRandomNumAsync(&task_, stream_, &host));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtRandomNumAsync(nullptr, stream_, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtRandomNumAsync(&task_, kInvented, nullptr));
  task_.randomResultAddr = nullptr;
  ACL_CODE(ACL_ERROR_INVALID_PARAM, queue());
}

}  // namespace
}  // namespace canopy::test
