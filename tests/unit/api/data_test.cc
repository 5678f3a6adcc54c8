// Data types, half floats, data buffers, the application's log.
#include "tests/unit/api/gate.h"

#include "runtime/base/log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

TEST(DataType, SizesAreInWholeBytes) {
  const struct {
    size_t bytes;
    std::vector<aclDataType> types;
  } rows[] = {
      {1,
       {ACL_INT8, ACL_UINT8, ACL_BOOL, ACL_HIFLOAT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN,
        ACL_FLOAT8_E8M0}},
      {2, {ACL_FLOAT16, ACL_BF16, ACL_INT16, ACL_UINT16}},
      {4, {ACL_FLOAT, ACL_INT32, ACL_UINT32, ACL_COMPLEX32}},
      {8, {ACL_INT64, ACL_UINT64, ACL_DOUBLE, ACL_COMPLEX64}},
      {16, {ACL_COMPLEX128}},
      {0,
       {ACL_DT_UNDEFINED, ACL_STRING, ACL_INT4, ACL_UINT1, ACL_FLOAT6_E3M2, ACL_FLOAT6_E2M3,
        ACL_FLOAT4_E2M1, ACL_FLOAT4_E1M2, static_cast<aclDataType>(5),
        static_cast<aclDataType>(1000)}},
  };
  for (const auto& row : rows) {
    for (const aclDataType type : row.types) {
      EXPECT_EQ(aclDataTypeSize(type), row.bytes) << type;
    }
  }
}

TEST(HalfFloat, HasNoInfinityAndNoNan) {
  EXPECT_EQ(aclFloat16ToFloat(0x7C00), 65536.0F);
  EXPECT_EQ(aclFloat16ToFloat(0xFC00), -65536.0F);
  EXPECT_EQ(aclFloat16ToFloat(0x7E00), 98304.0F);
  EXPECT_EQ(aclFloatToFloat16(std::numeric_limits<float>::quiet_NaN()), 0x7BFF);
  EXPECT_EQ(aclFloatToFloat16(std::numeric_limits<float>::infinity()), 0x7BFF);
  EXPECT_EQ(aclFloatToFloat16(-std::numeric_limits<float>::infinity()), 0xFBFF);
  EXPECT_EQ(aclFloatToFloat16(1e30F), 0x7BFF);
  EXPECT_EQ(aclFloatToFloat16(65520.0F), 0x7BFF);  // would round up to 65536
}

TEST(HalfFloat, KnownValues) {
  EXPECT_EQ(aclFloat16ToFloat(0x3C00), 1.0F);
  EXPECT_EQ(aclFloat16ToFloat(0xC000), -2.0F);
  EXPECT_EQ(aclFloat16ToFloat(0x0001), std::ldexp(1.0F, -24));
  EXPECT_EQ(aclFloat16ToFloat(0x03FF), std::ldexp(1023.0F, -24));
  EXPECT_EQ(aclFloat16ToFloat(0x0400), std::ldexp(1.0F, -14));
  EXPECT_EQ(aclFloat16ToFloat(0x7BFF), 65504.0F);
  EXPECT_TRUE(std::signbit(aclFloat16ToFloat(0x8000)));
}

TEST(HalfFloat, EveryFiniteValueComesBack) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    if ((bits & 0x7C00) != 0x7C00) {
      ASSERT_EQ(aclFloatToFloat16(aclFloat16ToFloat(static_cast<aclFloat16>(bits))), bits);
    }
  }
}

TEST(HalfFloat, RoundsToTheNearestAndTiesToEven) {
  // Between neighbours a and b the middle goes to the even one, and everything else to its own
  // side.
  for (uint16_t bits = 0; bits < 0x7BFF; ++bits) {
    const float low = aclFloat16ToFloat(bits);
    const float high = aclFloat16ToFloat(bits + 1);
    const float middle = low + (high - low) / 2;
    ASSERT_EQ(aclFloatToFloat16(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(aclFloatToFloat16(std::nextafter(middle, low)), bits);
    ASSERT_EQ(aclFloatToFloat16(std::nextafter(middle, high)), bits + 1);
  }
}

TEST(DataBuffer, HoldsWhatItWasGiven) {
  int data[4];
  aclDataBuffer* buffer = aclCreateDataBuffer(data, sizeof data);
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(aclGetDataBufferAddr(buffer), data);
  EXPECT_EQ(aclGetDataBufferSizeV2(buffer), sizeof data);
  EXPECT_EQ(aclGetDataBufferSize(buffer), sizeof data);
  ACL_OK(aclUpdateDataBuffer(buffer, data + 1, 5));
  EXPECT_EQ(aclGetDataBufferAddr(buffer), data + 1);
  EXPECT_EQ(aclGetDataBufferSizeV2(buffer), 5u);
  ACL_OK(aclDestroyDataBuffer(buffer));
}

TEST(DataBuffer, MayBeEmpty) {
  aclDataBuffer* buffer = aclCreateDataBuffer(nullptr, 0);
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(aclGetDataBufferAddr(buffer), nullptr);
  ACL_OK(aclDestroyDataBuffer(buffer));
}

TEST(DataBuffer, ThatIsDeadIsAnError) {
  aclDataBuffer* buffer = aclCreateDataBuffer(nullptr, 7);
  ACL_OK(aclDestroyDataBuffer(buffer));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclDestroyDataBuffer(buffer));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclUpdateDataBuffer(buffer, nullptr, 1));
  EXPECT_EQ(aclGetDataBufferSizeV2(buffer), 0u);
  EXPECT_EQ(aclGetDataBufferAddr(buffer), nullptr);
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclDestroyDataBuffer(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclUpdateDataBuffer(nullptr, nullptr, 1));
  EXPECT_EQ(aclGetDataBufferAddr(nullptr), nullptr);
  EXPECT_EQ(aclGetDataBufferSizeV2(nullptr), 0u);
}

std::string logged(aclLogLevel level, LogLevel shown, const std::string& text) {
  set_log_level(shown);
  testing::internal::CaptureStderr();
  ACL_APP_LOG(level, "%s", text.c_str());
  set_log_level(LogLevel::warn);
  return testing::internal::GetCapturedStderr();
}

TEST(AppLog, NamesThePlaceAndKeepsTheLevel) {
  const std::string line = logged(ACL_WARNING, LogLevel::warn, "forty two");
  EXPECT_NE(line.find("forty two"), std::string::npos) << line;
  EXPECT_NE(line.find("data_test.cc:"), std::string::npos) << line;
  EXPECT_NE(line.find("logged"), std::string::npos) << line;
  EXPECT_EQ(logged(ACL_INFO, LogLevel::warn, "quiet"), "");
  EXPECT_NE(logged(ACL_DEBUG, LogLevel::debug, "loud"), "");
  EXPECT_EQ(logged(ACL_ERROR, LogLevel::off, "off"), "");
}

TEST(AppLog, CutsALineAt1024Bytes) {
  const std::string line = logged(ACL_ERROR, LogLevel::warn, std::string(3000, 'x'));
  EXPECT_EQ(std::count(line.begin(), line.end(), 'x'), 1023);
}

}  // namespace
}  // namespace canopy::test
