// The copy engine's reduction: dst[i] = kind(dst[i], src[i]).
//
// Integers wrap. fp16 and bf16 are computed as floats and rounded once. A NaN on either side makes
// the result of sum, max and min a NaN. `equal` gives 1 or 0 of the type.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

enum class ReduceKind : uint8_t { sum, max, min, equal };
enum class ReduceType : uint8_t { int8, int16, int32, uint32, fp16, fp32, bf16 };

// REQUIRES: both on a boundary of the element's size; not overlapping, or the same.
using ReduceFunction = void (*)(void* dst, const void* src, size_t elements);

ReduceFunction reducer(ReduceKind kind, ReduceType type);
size_t element_bytes(ReduceType type);
// Whether an element of a floating type is infinite; `saturate`: it becomes the largest number of its sign.
bool find_infinite(void* elements, size_t count, ReduceType type, bool saturate);

}  // namespace canopy
