// aclrtReduceAsync: every kind with every type, and what it refuses.
#include "tests/unit/api/gate.h"

#include "runtime/device/half.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace canopy::test {
namespace {

constexpr aclrtReduceKind kKinds[] = {
    ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX,
    ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN, ACL_RT_MEMCPY_SDMA_AUTOMATIC_EQUAL};
constexpr size_t kElements = 257;

class Reduce : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&dst_, kElements * 4, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMalloc(&src_, kElements * 4, ACL_MEM_MALLOC_HUGE_FIRST));
  }
  // Small whole numbers, exact in every type; every third pair is equal.
  static double left(size_t i) { return static_cast<double>(i % 23); }
  static double right(size_t i) { return i % 3 == 0 ? left(i) : static_cast<double>(i % 19); }
  static double wanted(aclrtReduceKind kind, double a, double b) {
    switch (kind) {
      case ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM:
        return a + b;
      case ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX:
        return std::max(a, b);
      case ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN:
        return std::min(a, b);
      case ACL_RT_MEMCPY_SDMA_AUTOMATIC_EQUAL:
        return a == b ? 1 : 0;
    }
    return -1;
  }
  template <class T>
  void check(aclDataType type, T (*store)(double), double (*load)(T)) {
    auto* dst = static_cast<T*>(dst_);
    auto* src = static_cast<T*>(src_);
    for (aclrtReduceKind kind : kKinds) {
      for (size_t i = 0; i < kElements; ++i) {
        dst[i] = store(left(i));
        src[i] = store(right(i));
      }
      ACL_OK(aclrtReduceAsync(dst, src, kElements * sizeof(T), kind, type, stream_, nullptr));
      ACL_OK(aclrtSynchronizeStream(stream_));
      for (size_t i = 0; i < kElements; ++i) {
        ASSERT_EQ(load(dst[i]), wanted(kind, left(i), right(i)))
            << "kind " << kind << " type " << type << " element " << i;
      }
    }
  }
  template <class T>
  void check(aclDataType type) {
    check<T>(
        type, [](double v) { return static_cast<T>(v); },
        [](T v) { return static_cast<double>(v); });
  }

  aclrtStream stream_ = nullptr;
  void* dst_ = nullptr;
  void* src_ = nullptr;
};

TEST_F(Reduce, EveryKindOfEveryType) {
  check<int8_t>(ACL_INT8);
  check<int16_t>(ACL_INT16);
  check<int32_t>(ACL_INT32);
  check<uint32_t>(ACL_UINT32);
  check<float>(ACL_FLOAT);
  check<uint16_t>(
      ACL_FLOAT16, [](double v) { return fp16_of_float(static_cast<float>(v)); },
      [](uint16_t v) { return static_cast<double>(float_of_fp16(v)); });
  check<uint16_t>(
      ACL_BF16, [](double v) { return bf16_of_float(static_cast<float>(v)); },
      [](uint16_t v) { return static_cast<double>(float_of_bf16(v)); });
}

TEST_F(Reduce, SignsAreThoseOfTheType) {
  auto* dst = static_cast<uint32_t*>(dst_);
  auto* src = static_cast<uint32_t*>(src_);
  for (const auto& [type, larger] : {std::pair(ACL_INT32, 5u), std::pair(ACL_UINT32, ~0u)}) {
    dst[0] = ~0u;
    src[0] = 5;
    ACL_OK(aclrtReduceAsync(dst, src, 4, ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX, type, stream_, nullptr));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(dst[0], larger);
  }
}

TEST_F(Reduce, IntegersWrap) {
  auto* dst = static_cast<int8_t*>(dst_);
  auto* src = static_cast<int8_t*>(src_);
  dst[0] = 127;
  src[0] = 2;
  ACL_OK(
      aclrtReduceAsync(dst, src, 1, ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_INT8, stream_, nullptr));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(dst[0], -127);
}

TEST_F(Reduce, ANanStays) {
  auto* dst = static_cast<float*>(dst_);
  auto* src = static_cast<float*>(src_);
  for (aclrtReduceKind kind : {kKinds[0], kKinds[1], kKinds[2]}) {
    dst[0] = src[1] = std::numeric_limits<float>::quiet_NaN();
    dst[1] = src[0] = 1;
    ACL_OK(aclrtReduceAsync(dst, src, 8, kind, ACL_FLOAT, stream_, nullptr));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_TRUE(std::isnan(dst[0]) && std::isnan(dst[1])) << kind;
  }
}

TEST_F(Reduce, RunsInStreamOrder) {
  auto* dst = static_cast<int32_t*>(dst_);
  *dst = 1;
  *static_cast<int32_t*>(src_) = 2;
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtReduceAsync(dst, src_, 4, kKinds[0], ACL_INT32, stream_, nullptr));
  ACL_OK(aclrtReduceAsync(dst, dst, 4, kKinds[0], ACL_INT32, stream_, nullptr));
  EXPECT_EQ(*dst, 1) << "the reduction overtook the stream";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*dst, 6);
}

TEST_F(Reduce, OfNothingSucceeds) {
  ACL_OK(aclrtReduceAsync(dst_, src_, 0, kKinds[0], ACL_INT32, stream_, nullptr));
}

TEST_F(Reduce, OtherTypesAre207000) {
  for (aclDataType type :
       {ACL_UINT8, ACL_UINT16, ACL_INT64, ACL_UINT64, ACL_DOUBLE, ACL_BOOL, ACL_DT_UNDEFINED}) {
    ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
             aclrtReduceAsync(dst_, src_, 8, kKinds[0], type, stream_, nullptr));
  }
}

TEST_F(Reduce, WrongArgumentsAre107000) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtReduceAsync(dst_, src_, 4, static_cast<aclrtReduceKind>(9), ACL_INT32,
                                   stream_, nullptr));
  ACL_CODE(kCode, aclrtReduceAsync(dst_, src_, 4, static_cast<aclrtReduceKind>(14), ACL_INT32,
                                   stream_, nullptr));
  ACL_CODE(kCode, aclrtReduceAsync(dst_, src_, 6, kKinds[0], ACL_INT32, stream_, nullptr));
  ACL_CODE(kCode, aclrtReduceAsync(dst_, src_, 4, kKinds[0], ACL_INT32, stream_, dst_));
  ACL_CODE(kCode, aclrtReduceAsync(static_cast<char*>(dst_) + 2, src_, 4, kKinds[0], ACL_INT32,
                                   stream_, nullptr));
  ACL_CODE(kCode, aclrtReduceAsync(dst_, src_, 1 << 20, kKinds[0], ACL_INT32, stream_, nullptr));
  int32_t on_stack = 0;
  ACL_CODE(kCode, aclrtReduceAsync(dst_, &on_stack, 4, kKinds[0], ACL_INT32, stream_, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtReduceAsync(nullptr, src_, 4, kKinds[0], ACL_INT32, stream_, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtReduceAsync(dst_, nullptr, 4, kKinds[0], ACL_INT32, stream_, nullptr));
}

TEST_F(Reduce, BothMustLieOnTheStreamsDevice) {
  ACL_OK(aclrtSetDevice(kNear));
  aclrtStream there = nullptr;
  ACL_OK(aclrtCreateStream(&there));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtReduceAsync(dst_, src_, 4, kKinds[0], ACL_INT32, there, nullptr));
}

}  // namespace
}  // namespace canopy::test
