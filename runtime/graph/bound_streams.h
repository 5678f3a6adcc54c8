// What can be queued on streams of models only. Errc::not_bound on others.
#pragma once

#include "runtime/base/result.h"
#include "runtime/graph/control.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace canopy {

class Runtime;
class Stream;

// At the end of what `stream` holds.
Result<> set_label(Runtime& runtime, void* label, Stream& stream);
// Jumps to label min(*index, count - 1) of the list: the stream goes on there, or ends and the label's stream starts
// there.
Result<> switch_label(Runtime& runtime, const void* index, uint32_t count, void* list,
                      Stream& stream);
// Starts `target`; one that runs starts over once it has come to its end.
Result<> activate_stream(Stream& target, Stream& stream);

struct Comparison {
  const void* left;
  Control::Condition condition;
  const void* right;
  bool wide;  // signed words of 64 bits, else of 32
};
// If it holds, starts `target` and ends `stream`.
Result<> switch_stream(Runtime& runtime, const Comparison& comparison, Stream& target,
                       Stream& stream);

struct BarrierWait {
  uint32_t kind;
  uint32_t number;
};
// Cache maintenance of a range, then opens the barrier. The memory is coherent: only a prefetch does something.
Result<> maintain_cache(Runtime& runtime, const void* address, size_t bytes, bool prefetch,
                        BarrierWait opens, Stream& stream, void* handle);
// Waits until all are open.
Result<> wait_for_barriers(std::span<const BarrierWait> barriers, Stream& stream);

// Drops what a persistent stream holds; of a model only before that is built.
Result<> clean_stream(Stream& stream);

}  // namespace canopy
