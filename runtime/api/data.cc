// acl_base_rt.h: data types, data buffers, the application's log.
#include "runtime/api/guard.h"

#include "runtime/base/handle_table.h"
#include "runtime/base/log.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <memory>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;

namespace {

struct DataBuffer {
  void* data;
  size_t bytes;
};

// The handles that users see as aclDataBuffer*. Leaked, like Runtime: threads may be inside at
// exit.
HandleTable<DataBuffer>& data_buffers() {
  static auto* table = new HandleTable<DataBuffer>(6);
  return *table;
}

Result<DataBuffer*> data_buffer(const aclDataBuffer* handle) {
  if (DataBuffer* found = data_buffers().find(handle)) {
    return found;
  }
  return fail(Errc::stale_handle, "{} is not a live data buffer", fmt::ptr(handle));
}

constexpr int kHalfFraction = 10;  // bits
constexpr int kHalfBias = 15;
constexpr uint16_t kHalfLargest = 0x7BFF;

LogLevel level_of(aclLogLevel level) {
  switch (level) {
    case ACL_DEBUG:
    case ACL_INFO:
    case ACL_WARNING:
    case ACL_ERROR:
      return static_cast<LogLevel>(level);
  }
  return LogLevel::error;  // a level that does not exist must not hide a line
}

}  // namespace

extern "C" {

size_t aclDataTypeSize(aclDataType dataType) {
  switch (dataType) {
    case ACL_INT8:
    case ACL_UINT8:
    case ACL_BOOL:
    case ACL_HIFLOAT8:
    case ACL_FLOAT8_E5M2:
    case ACL_FLOAT8_E4M3FN:
    case ACL_FLOAT8_E8M0:
      return 1;
    case ACL_FLOAT16:
    case ACL_BF16:
    case ACL_INT16:
    case ACL_UINT16:
      return 2;
    case ACL_FLOAT:
    case ACL_INT32:
    case ACL_UINT32:
    case ACL_COMPLEX32:
      return 4;
    case ACL_INT64:
    case ACL_UINT64:
    case ACL_DOUBLE:
    case ACL_COMPLEX64:
      return 8;
    case ACL_COMPLEX128:
      return 16;
    case ACL_DT_UNDEFINED:
    case ACL_STRING:
    case ACL_INT4:
    case ACL_UINT1:
    case ACL_FLOAT6_E3M2:
    case ACL_FLOAT6_E2M3:
    case ACL_FLOAT4_E2M1:
    case ACL_FLOAT4_E1M2:
      break;
  }
  return 0;
}

// The interface defines the largest exponent as an ordinary one: no infinity, no NaN.
float aclFloat16ToFloat(aclFloat16 value) {
  const int exponent = value >> kHalfFraction & 0x1F;
  const int fraction = value & ((1 << kHalfFraction) - 1);
  const int steps = exponent == 0 ? fraction : fraction | 1 << kHalfFraction;
  const float magnitude =
      std::ldexp(static_cast<float>(steps), std::max(exponent, 1) - kHalfBias - kHalfFraction);
  return (value & 0x8000) != 0 ? -magnitude : magnitude;
}

aclFloat16 aclFloatToFloat16(float value) {
  if (std::isnan(value)) {
    return kHalfLargest;
  }
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float magnitude = std::fabs(value);
  if (magnitude == 0) {
    return sign;
  }
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
  const int biased = std::max(exponent - 1 + kHalfBias, 1);
  if (!std::isfinite(magnitude) || biased > 30) {
    return sign | kHalfLargest;
  }
  // In steps of the last place: exact in float, then to the nearest, ties to even.
  const float steps = std::ldexp(magnitude, kHalfFraction + kHalfBias - biased);
  const auto rounded = static_cast<uint32_t>(std::nearbyint(steps));
  // A carry out of the fraction moves into the exponent by itself; subnormals have no leading one.
  const uint32_t bits = (static_cast<uint32_t>(biased - 1) << kHalfFraction) + rounded;
  return static_cast<aclFloat16>(sign | std::min<uint32_t>(bits, kHalfLargest));
}

aclDataBuffer* aclCreateDataBuffer(void* data, size_t size) {
  void* handle = nullptr;
  guard([&]() -> Result<> {
    handle = data_buffers().insert(std::make_unique<DataBuffer>(data, size));
    if (handle == nullptr) {
      return fail(Errc::limit, "aclCreateDataBuffer: {} data buffers are alive",
                  data_buffers().size());
    }
    return {};
  });
  return static_cast<aclDataBuffer*>(handle);
}

aclError aclDestroyDataBuffer(const aclDataBuffer* dataBuffer) {
  CANOPY_ACL_NOT_NULL(dataBuffer);
  return guard([&]() -> Result<> {
    if (data_buffers().remove(dataBuffer) == nullptr) {
      return fail(Errc::stale_handle, "{} is not a live data buffer", fmt::ptr(dataBuffer));
    }
    return {};
  });
}

aclError aclUpdateDataBuffer(aclDataBuffer* dataBuffer, void* data, size_t size) {
  CANOPY_ACL_NOT_NULL(dataBuffer);
  return guard([&] {
    return data_buffer(dataBuffer).map([&](DataBuffer* found) { *found = {data, size}; });
  });
}

void* aclGetDataBufferAddr(const aclDataBuffer* dataBuffer) {
  void* address = nullptr;
  guard([&] {
    return data_buffer(dataBuffer).map([&](DataBuffer* found) { address = found->data; });
  });
  return address;
}

size_t aclGetDataBufferSizeV2(const aclDataBuffer* dataBuffer) {
  size_t bytes = 0;
  guard([&] {
    return data_buffer(dataBuffer).map([&](DataBuffer* found) { bytes = found->bytes; });
  });
  return bytes;
}

uint32_t aclGetDataBufferSize(const aclDataBuffer* dataBuffer) {
  return static_cast<uint32_t>(aclGetDataBufferSizeV2(dataBuffer));
}

void aclAppLog(aclLogLevel logLevel, const char* func, const char* file, uint32_t line,
               const char* fmt, ...) {
  const LogLevel level = level_of(logLevel);
  if (fmt == nullptr || !log_enabled(level)) {
    return;
  }
  std::array<char, 1024> text;  // the interface's limit; a longer line is cut
  va_list arguments;
  va_start(arguments, fmt);
  const int length = std::vsnprintf(text.data(), text.size(), fmt, arguments);
  va_end(arguments);
  if (length < 0) {
    return;  // the format is wrong
  }
  canopy::log(level, "{}:{} {}: {}", file == nullptr ? "?" : file, line,
              func == nullptr ? "?" : func, text.data());
}

}  // extern "C"
