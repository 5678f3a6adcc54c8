// Many copies by one call, all of one direction, in no order among themselves.
#pragma once

#include "runtime/base/result.h"

#include "acl/rt/copy.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;

struct CopyBatch {
  void** dsts;
  const size_t* dst_maxs;
  void** srcs;
  const size_t* sizes;
  size_t count;
  const aclrtMemcpyBatchAttr* attrs;  // where the ends lie, from copy attr_indexes[i] on
  const size_t* attr_indexes;
  size_t attr_count;
};

inline constexpr size_t kNoItem = SIZE_MAX;

// Nothing is copied unless all can be. An error writes to *failed which copy it is about, or
// kNoItem.
Result<> copy_batch_now(Runtime& runtime, const CopyBatch& batch, size_t* failed);
// As one task; with pageable host memory anywhere: synchronises the stream, then copies.
Result<> copy_batch_on_stream(Runtime& runtime, const CopyBatch& batch, size_t* failed,
                              void* stream);

}  // namespace canopy
