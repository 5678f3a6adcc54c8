#include "runtime/core/copy_way.h"

#include "runtime/core/runtime.h"
#include "runtime/device/dma.h"
#include "runtime/device/staged_copy.h"

namespace canopy {
namespace {

struct RemotePlace {
  VirtualMemory::Mapped mapped;  // keeps the region
  uint64_t offset;
  RemoteRegion& region() const { return *mapped.object->remote_region(); }
};

// As it is mapped now: what was checked may have been replaced by something smaller.
std::optional<RemotePlace> remote_place(Driver& driver, const void* address, uint64_t bytes) {
  auto mapped = driver.virtual_memory().find(address);
  if (!mapped || mapped->object->remote_region() == nullptr) {
    return std::nullopt;
  }
  const auto offset = static_cast<uint64_t>(static_cast<const std::byte*>(address) - mapped->base);
  const uint64_t all = mapped->object->bytes();
  if (offset > all || bytes > all - offset) {
    return std::nullopt;
  }
  return RemotePlace{std::move(*mapped), offset};
}

Result<> move_remote(Runtime& runtime, void* dst, const void* src, size_t bytes) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  if (const auto to = remote_place(*driver, dst, bytes)) {
    return to->region().write(to->offset, src, bytes);
  }
  if (const auto from = remote_place(*driver, src, bytes)) {
    return from->region().read(from->offset, dst, bytes);
  }
  return fail(Errc::invalid_argument, "memory of another host, at {} or {}, was unmapped under a copy of {} bytes", fmt::ptr(dst),
              fmt::ptr(src), bytes);
}

// A copy in a stream that nobody waits for in particular: its failure is the task's.
struct Move {
  Runtime* runtime;
  Strand* strand;
  CopyWay way;
  Copy2d copy;
};

void run_move(const Move& move) {
  if (!move_rows(*move.runtime, move.way, move.copy)) {
    move.strand->record_error(kCopyFault, error_text::take_newest());
  }
}

}  // namespace

Result<> move_bytes(Runtime& runtime, CopyWay way, void* dst, const void* src, size_t bytes) {
  switch (way) {
    case CopyWay::direct: copy_bytes(dst, src, bytes); return {};
    case CopyWay::staged: copy_staged(dst, src, bytes); return {};
    case CopyWay::remote: return move_remote(runtime, dst, src, bytes);
  }
  return {};
}

Result<> move_rows(Runtime& runtime, CopyWay way, const Copy2d& copy) {
  if (way == CopyWay::direct) {
    copy_rows(copy.dst, copy.dst_pitch, copy.src, copy.src_pitch, copy.width, copy.height);
    return {};
  }
  if (copy.width == copy.dst_pitch && copy.width == copy.src_pitch) {
    return move_bytes(runtime, way, copy.dst, copy.src, copy.width * copy.height);
  }
  auto* to = static_cast<std::byte*>(copy.dst);
  const auto* from = static_cast<const std::byte*>(copy.src);
  for (size_t row = 0; row < copy.height; ++row) {
    CANOPY_TRY(move_bytes(runtime, way, to + row * copy.dst_pitch, from + row * copy.src_pitch, copy.width));
  }
  return {};
}

void post_move(Runtime& runtime, Stream& stream, uint64_t frees, CopyWay way, void* dst, const void* src, size_t bytes) {
  post_move_rows(runtime, stream, frees, way, {dst, bytes, src, bytes, bytes, 1});
}

void post_move_rows(Runtime& runtime, Stream& stream, uint64_t frees, CopyWay way, const Copy2d& copy) {
  const size_t dst_span = copy.dst_pitch * (copy.height - 1) + copy.width;  // as checked
  const size_t src_span = copy.src_pitch * (copy.height - 1) + copy.width;
  post_on_memory(stream, runtime.task_memory(), frees, {copy.dst, dst_span, copy.src, src_span}, run_move,
                 Move{&runtime, &stream.strand(), way, copy}, way == CopyWay::staged ? "copy staged" : "copy");
}

}  // namespace canopy
