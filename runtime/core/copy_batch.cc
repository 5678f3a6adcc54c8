#include "runtime/core/copy_batch.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/runtime.h"
#include "runtime/device/dma_scope.h"

#include <new>
#include <string>
#include <utility>
#include <vector>

namespace canopy {
namespace {

struct Item {
  void* dst;
  const void* src;
  size_t bytes;
  CopyWay way;
};

// The arguments of the task: a count, and the items behind it.
struct ItemList {
  size_t count;
  const MemoryWatch* watch;
  uint64_t frees;
  Strand* strand;
  Runtime* runtime;
  Item* items() { return reinterpret_cast<Item*>(this + 1); }
};
static_assert(sizeof(ItemList) % alignof(Item) == 0);

void run_items(void* argument) {
  auto* list = static_cast<ItemList*>(argument);
  uint64_t bytes = 0;
  for (size_t i = 0; i < list->count; ++i) {
    bytes += list->items()[i].bytes;
  }
  const DmaScope engine(list->strand->device(), bytes);
  for (size_t i = 0; i < list->count; ++i) {
    const Item& item = list->items()[i];
    TouchScope use(list->watch, list->frees, {item.dst, item.bytes, item.src, item.bytes});
    if (!use.allowed()) [[unlikely]] {
      list->strand->record_error(kCopyFault, std::move(use.why()));
      return;
    }
    if (!move_bytes(*list->runtime, item.way, item.dst, item.src, item.bytes)) {
      list->strand->record_error(kCopyFault, error_text::take_newest());
      return;
    }
  }
}

bool device_type(aclrtMemLocationType type) {
  return type == ACL_MEM_LOCATION_TYPE_DEVICE || type == ACL_MEM_LOCATION_TYPE_MANAGED;
}

Result<> check_shape(const CopyBatch& batch) {
  if (batch.count == 0 || batch.attr_count == 0 || batch.attr_count > batch.count) {
    return fail(Errc::invalid_argument,
                "a batch of {} copies with {} attributes: at least one of each, and not more "
                "attributes than copies, are wanted",
                batch.count, batch.attr_count);
  }
  for (size_t i = 0; i < batch.attr_count; ++i) {
    const size_t index = batch.attr_indexes[i];
    if (i == 0 ? index != 0 : index <= batch.attr_indexes[i - 1] || index >= batch.count) {
      return fail(Errc::invalid_argument,
                  "attrsIndexes[{}] is {}: they start at 0 and rise, below {}", i, index,
                  batch.count);
    }
    const aclrtMemcpyBatchAttr& attr = batch.attrs[i];
    for (const aclrtMemLocation& location : {attr.dstLoc, attr.srcLoc}) {
      if (static_cast<uint32_t>(location.type) > ACL_MEM_LOCATION_TYPE_HOST_NUMA) {
        return fail(Errc::invalid_argument, "attrs[{}]: {} is not one of aclrtMemLocationType", i,
                    static_cast<uint32_t>(location.type));
      }
    }
    if (device_type(attr.dstLoc.type) != device_type(batch.attrs[0].dstLoc.type) ||
        device_type(attr.srcLoc.type) != device_type(batch.attrs[0].srcLoc.type)) {
      return fail(Errc::invalid_argument,
                  "attrs[{}] and attrs[0] differ in direction; a batch has one", i);
    }
  }
  return {};
}

Result<> check_location(const char* end, const aclrtMemLocation& said, const void* address,
                        const CopyEnd& range) {
  const bool managed = range && range->kind == MemoryKind::managed;  // lies wherever one looks
  const bool device = range && range->kind == MemoryKind::device;
  if (!managed && device_type(said.type) != device) {
    return fail(Errc::invalid_argument, "{} ({}) is {} memory, its attribute says otherwise",
                fmt::ptr(address), end, device ? "device" : "host");
  }
  if (device && said.id != static_cast<uint32_t>(range->device)) {
    return fail(Errc::invalid_argument, "{} ({}) lies on device {}, its attribute says {}",
                fmt::ptr(address), end, range->device, said.id);
  }
  return {};
}

Result<CopyEnds> check_item(Runtime& runtime, const CopyBatch& batch, size_t i,
                            const aclrtMemcpyBatchAttr& attr) {
  if (batch.dsts[i] == nullptr || batch.srcs[i] == nullptr) {
    return fail(Errc::invalid_argument, "copy {} of the batch has no {}", i,
                batch.dsts[i] == nullptr ? "destination" : "source");
  }
  CANOPY_ASSIGN(CopyEnds ends, check_copy(runtime, batch.dsts[i], batch.dst_maxs[i], batch.srcs[i],
                                          batch.sizes[i]));
  CANOPY_TRY(check_location("destination", attr.dstLoc, batch.dsts[i], ends.dst));
  CANOPY_TRY(check_location("source", attr.srcLoc, batch.srcs[i], ends.src));
  return ends;
}

// Calls use(ends) for each copy. Errors as copy_batch_now().
template <class Use>
Result<> check_batch(Runtime& runtime, const CopyBatch& batch, size_t* failed, Use&& use) {
  *failed = kNoItem;
  CANOPY_TRY(check_shape(batch));
  size_t attr = 0;
  for (size_t i = 0; i < batch.count; ++i) {
    if (attr + 1 < batch.attr_count && batch.attr_indexes[attr + 1] == i) {
      ++attr;
    }
    auto ends = check_item(runtime, batch, i, batch.attrs[attr]);
    if (!ends) {
      *failed = i;
      return tl::unexpected(ends.error());
    }
    use(*ends);
  }
  return {};
}

Result<> copy_all(Runtime& runtime, const CopyBatch& batch, const std::vector<CopyEnds>& ends) {
  for (size_t i = 0; i < batch.count; ++i) {
    CANOPY_TRY(make_copy(runtime, ends[i], batch.dsts[i], batch.srcs[i], batch.sizes[i]));
  }
  return {};
}

}  // namespace

Result<> copy_batch_now(Runtime& runtime, const CopyBatch& batch, size_t* failed) {
  std::vector<CopyEnds> all;
  CANOPY_TRY(check_batch(runtime, batch, failed, [&](const CopyEnds& ends) { all.push_back(ends); }));
  return copy_all(runtime, batch, all);
}

Result<> copy_batch_on_stream(Runtime& runtime, const CopyBatch& batch, size_t* failed,
                              void* handle) {
  *failed = kNoItem;
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  const uint64_t frees = runtime.task_memory().frees();
  bool some_pageable = false;
  bool host_to_host = false;
  std::vector<CopyEnds> all;
  CANOPY_TRY(check_batch(runtime, batch, failed, [&](const CopyEnds& ends) {
    some_pageable = some_pageable || pageable(ends.dst) || pageable(ends.src);
    all.push_back(ends);
    host_to_host = host_to_host || (!on_device(ends.dst) && !on_device(ends.src));
  }));
  if (host_to_host) {
    return fail(Errc::not_supported, "an asynchronous batch of copies from host to host");
  }
  if (some_pageable) {
    CANOPY_TRY(stream->synchronize_to_copy());
    return copy_all(runtime, batch, all);
  }
  stream->post(sizeof(ItemList) + batch.count * sizeof(Item), [&](Sqe& sqe, std::byte* memory) {
    auto* list =
        new (memory) ItemList{batch.count, &runtime.task_memory(), frees, &stream->strand(), &runtime};
    for (size_t i = 0; i < batch.count; ++i) {
      new (list->items() + i) Item{batch.dsts[i], batch.srcs[i], batch.sizes[i], all[i].way};
    }
    sqe.kind = SqeKind::call;
    sqe.body.call = {run_items, list, "copy batch"};
  });
  for (size_t i = 0; i < batch.count; ++i) {
    count_copy(runtime, all[i], batch.sizes[i]);
  }
  return {};
}

}  // namespace canopy
