#include "runtime/device/reduce.h"

#include "runtime/device/half.h"

#include <type_traits>

namespace canopy {
namespace {

// How an element is stored, and what it is computed in.
template <class T>
struct Plain {
  using Stored = T;
  using Value = T;
  static Value load(Stored stored) { return stored; }
  static Stored store(Value value) { return value; }
};

struct Fp16 {
  using Stored = uint16_t;
  using Value = float;
  static float load(uint16_t stored) { return float_of_fp16(stored); }
  static uint16_t store(float value) { return fp16_of_float(value); }
};

struct Bf16 {
  using Stored = uint16_t;
  using Value = float;
  static float load(uint16_t stored) { return float_of_bf16(stored); }
  static uint16_t store(float value) { return bf16_of_float(value); }
};

template <ReduceKind kKind, class T>
T combine(T a, T b) {
  if constexpr (kKind == ReduceKind::equal) {
    return static_cast<T>(a == b ? 1 : 0);
  } else if constexpr (kKind == ReduceKind::sum) {
    if constexpr (std::is_integral_v<T>) {
      // Unsigned: wraps by definition. At least 32 bits wide, so nothing is promoted to a signed
      // type.
      return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    } else {
      return a + b;
    }
  } else {
    if constexpr (std::is_floating_point_v<T>) {
      if (a != a || b != b) {
        return a + b;  // a NaN
      }
    }
    if constexpr (kKind == ReduceKind::max) {
      return a < b ? b : a;
    } else {
      return b < a ? b : a;
    }
  }
}

template <ReduceKind kKind, class Format>
void reduce(void* dst, const void* src, size_t elements) {
  auto* to = static_cast<typename Format::Stored*>(dst);
  const auto* from = static_cast<const typename Format::Stored*>(src);
  for (size_t i = 0; i < elements; ++i) {
    to[i] = Format::store(combine<kKind>(Format::load(to[i]), Format::load(from[i])));
  }
}

template <class Format>
ReduceFunction of_kind(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::sum:
      return reduce<ReduceKind::sum, Format>;
    case ReduceKind::max:
      return reduce<ReduceKind::max, Format>;
    case ReduceKind::min:
      return reduce<ReduceKind::min, Format>;
    case ReduceKind::equal:
      return reduce<ReduceKind::equal, Format>;
  }
  return nullptr;
}

}  // namespace

ReduceFunction reducer(ReduceKind kind, ReduceType type) {
  switch (type) {
    case ReduceType::int8:
      return of_kind<Plain<int8_t>>(kind);
    case ReduceType::int16:
      return of_kind<Plain<int16_t>>(kind);
    case ReduceType::int32:
      return of_kind<Plain<int32_t>>(kind);
    case ReduceType::uint32:
      return of_kind<Plain<uint32_t>>(kind);
    case ReduceType::fp16:
      return of_kind<Fp16>(kind);
    case ReduceType::fp32:
      return of_kind<Plain<float>>(kind);
    case ReduceType::bf16:
      return of_kind<Bf16>(kind);
  }
  return nullptr;
}

size_t element_bytes(ReduceType type) {
  switch (type) {
    case ReduceType::int8:
      return 1;
    case ReduceType::int16:
    case ReduceType::fp16:
    case ReduceType::bf16:
      return 2;
    case ReduceType::int32:
    case ReduceType::uint32:
    case ReduceType::fp32:
      return 4;
  }
  return 0;
}

namespace {

// Of a format whose infinity is `infinity` in bits; the number before it is the largest.
template <class Stored>
bool find_infinite_as(Stored* elements, size_t count, Stored infinity, bool saturate) {
  constexpr auto kSign = static_cast<Stored>(Stored{1} << (8 * sizeof(Stored) - 1));
  bool found = false;
  for (size_t i = 0; i < count; ++i) {
    if ((elements[i] & ~kSign) == infinity) {
      found = true;
      elements[i] = static_cast<Stored>(elements[i] - (saturate ? 1 : 0));
    }
  }
  return found;
}

}  // namespace

bool find_infinite(void* elements, size_t count, ReduceType type, bool saturate) {
  switch (type) {
    case ReduceType::fp16: return find_infinite_as<uint16_t>(static_cast<uint16_t*>(elements), count, 0x7C00, saturate);
    case ReduceType::bf16: return find_infinite_as<uint16_t>(static_cast<uint16_t*>(elements), count, 0x7F80, saturate);
    case ReduceType::fp32: return find_infinite_as<uint32_t>(static_cast<uint32_t*>(elements), count, 0x7F800000, saturate);
    default: return false;
  }
}

}  // namespace canopy
