// The tasks of random programs, each with what it does to the model.
#include "canopy/kernel.h"
#include "tests/unit/core/random_program.h"

#include <algorithm>
#include <cstring>

namespace {

constexpr uint64_t kCells = canopy::test::RandomProgram::kCells;

// dst = dst * 3 + src + value, cell by cell: neither order nor number of runs may be wrong.
__global__ __aicore__ void combine(GM_ADDR dst, GM_ADDR src, uint64_t value) {
  auto* out = reinterpret_cast<__gm__ uint64_t*>(dst);
  auto* in = reinterpret_cast<__gm__ uint64_t*>(src);
  for (uint64_t i = 0; i < kCells; ++i) {
    out[i] = out[i] * 3 + in[i] + value;
  }
}
CANOPY_KERNEL(combine)

// The same by blocks: each takes the cells of its index, and after a meeting reads its neighbour's.
__global__ __aicore__ void combine_blocks(GM_ADDR dst, uint64_t value) {
  auto* out = reinterpret_cast<__gm__ uint64_t*>(dst);
  const uint32_t me = GetBlockIdx();
  out[me] = out[me] * 5 + value;
  SyncAll();
  const uint64_t neighbour = out[(me + 1) % GetBlockNum()];
  SyncAll();
  out[me] += neighbour;
}
CANOPY_KERNEL_CUBE(combine_blocks)

// Fails when it has done its work.
__global__ __aicore__ void work_and_fail(GM_ADDR dst, uint64_t value) {
  auto* out = reinterpret_cast<__gm__ uint64_t*>(dst);
  for (uint64_t i = 0; i < kCells; ++i) {
    out[i] = out[i] * 7 + value;
  }
  canopy_assert(GetBlockNum() == 0);
}
CANOPY_KERNEL(work_and_fail)

// The first block fails where all others wait for it: they end there, and write nothing.
__global__ __aicore__ void fail_before_the_meeting(GM_ADDR dst) {
  canopy_assert(GetBlockIdx() != 0);
  SyncAll();
  reinterpret_cast<__gm__ uint64_t*>(dst)[GetBlockIdx()] = 0xDEAD;
}
CANOPY_KERNEL_CUBE(fail_before_the_meeting)

}  // namespace

namespace canopy::test {

void RandomProgram::add_kernel(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  const uint64_t value = random_();
  order_read(lane, src);
  order_write(lane, dst);
  must(launch(combine, 1, lane.stream, reinterpret_cast<GM_ADDR>(dst.memory),
              reinterpret_cast<GM_ADDR>(src.memory), value),
       "launching combine");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  for (size_t i = 0; i < kCells; ++i) {
    dst.model[i] = dst.model[i] * 3 + src.model[i] + value;
  }
}

void RandomProgram::add_blocks_kernel(Lane& lane) {
  Region& dst = any_region();
  const uint32_t blocks = 1 + draw(kCells);
  const uint64_t value = random_();
  order_write(lane, dst);
  must(launch(combine_blocks, blocks, lane.stream, reinterpret_cast<GM_ADDR>(dst.memory), value),
       "launching combine_blocks");
  ++lane.queued;
  note_write(lane, dst);
  Cells before = dst.model;
  for (size_t i = 0; i < blocks; ++i) {
    before[i] = before[i] * 5 + value;
  }
  dst.model = before;
  for (size_t i = 0; i < blocks; ++i) {
    dst.model[i] += before[(i + 1) % blocks];
  }
}

void RandomProgram::add_failing_kernel(Lane& lane) {
  Region& dst = any_region();
  const bool together = draw(2) == 0;
  order_write(lane, dst);
  if (together) {
    must(launch(fail_before_the_meeting, 2 + draw(3), lane.stream,
                reinterpret_cast<GM_ADDR>(dst.memory)),
         "launching fail_before_the_meeting");
  } else {
    const uint64_t value = random_();
    must(launch(work_and_fail, 1, lane.stream, reinterpret_cast<GM_ADDR>(dst.memory), value),
         "launching work_and_fail");
    for (uint64_t& cell : dst.model) {
      cell = cell * 7 + value;
    }
  }
  ++lane.queued;
  note_write(lane, dst);
  if (lane.error_due == ACL_SUCCESS) {  // the first one is told
    lane.error_due =
        together ? ACL_ERROR_RT_AICORE_TRAP_EXCEPTION : ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION;
  }
}

void RandomProgram::add_copy(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  if (dst.device < 0 && src.device < 0) {
    return;  // host to host is not asynchronous
  }
  order_read(lane, src);
  order_write(lane, dst);
  must(aclrtMemcpyAsync(dst.memory, sizeof dst.model, src.memory, sizeof src.model,
                        ACL_MEMCPY_DEFAULT, lane.stream),
       "aclrtMemcpyAsync");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  dst.model = src.model;
}

// The first cells of each half.
void RandomProgram::add_copy_of_rows(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  if ((dst.device < 0) == (src.device < 0)) {
    return;  // rows go between host and device
  }
  const size_t cells = 1 + draw(kCells / 2);
  order_read(lane, src);
  order_write(lane, dst);
  must(aclrtMemcpy2dAsync(dst.memory, sizeof dst.model / 2, src.memory, sizeof src.model / 2,
                          cells * 8, 2, ACL_MEMCPY_DEFAULT, lane.stream),
       "aclrtMemcpy2dAsync");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  for (size_t row = 0; row < 2; ++row) {
    std::copy_n(src.model.data() + row * kCells / 2, cells, dst.model.data() + row * kCells / 2);
  }
}

void RandomProgram::add_fill(Lane& lane) {
  Region& dst = any_region();
  const size_t cells = 1 + draw(kCells);
  const bool words = dst.device >= 0 && draw(2) == 0;  // on the host it would not be asynchronous
  order_write(lane, dst);
  if (words) {
    const auto word = static_cast<uint32_t>(random_());
    must(aclrtMemsetD32Async(dst.memory, sizeof dst.model, word, cells * 2, lane.stream),
         "aclrtMemsetD32Async");
    std::fill_n(dst.model.begin(), cells, uint64_t{word} << 32 | word);
  } else {
    const auto byte = static_cast<uint8_t>(draw(256));
    must(aclrtMemsetAsync(dst.memory, sizeof dst.model, byte, cells * 8, lane.stream),
         "aclrtMemsetAsync");
    std::memset(dst.model.data(), byte, cells * 8);
  }
  ++lane.queued;
  note_write(lane, dst);
}

void RandomProgram::add_reduction(Lane& lane) {
  Region& dst = region_of(lane.device);
  Region& src = region_of(lane.device);
  if (&dst == &src) {
    return;
  }
  constexpr aclrtReduceKind kKinds[] = {ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM,
                                        ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX,
                                        ACL_RT_MEMCPY_SDMA_AUTOMATIC_MIN};
  const aclrtReduceKind kind = kKinds[draw(3)];
  order_read(lane, src);
  order_write(lane, dst);
  must(aclrtReduceAsync(dst.memory, src.memory, sizeof dst.model, kind, ACL_UINT32, lane.stream,
                        nullptr),
       "aclrtReduceAsync");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  std::array<uint32_t, kCells * 2> to;
  std::array<uint32_t, kCells * 2> from;
  std::memcpy(to.data(), dst.model.data(), sizeof to);
  std::memcpy(from.data(), src.model.data(), sizeof from);
  for (size_t i = 0; i < to.size(); ++i) {
    to[i] = kind == ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM   ? to[i] + from[i]
            : kind == ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX ? std::max(to[i], from[i])
                                                       : std::min(to[i], from[i]);
  }
  std::memcpy(dst.model.data(), to.data(), sizeof to);
}

void RandomProgram::add_host_function(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  host_work_.push_back({dst.memory, src.memory, random_() | 1});
  order_read(lane, src);
  order_write(lane, dst);
  const auto work = [](void* p) {
    const HostWork& w = *static_cast<const HostWork*>(p);
    for (size_t i = 0; i < kCells; ++i) {
      w.dst[i] = w.dst[i] * w.factor ^ w.src[kCells - 1 - i];
    }
  };
  must(lane.reports ? aclrtLaunchCallback(work, &host_work_.back(), ACL_CALLBACK_BLOCK, lane.stream)
                    : aclrtLaunchHostFunc(lane.stream, work, &host_work_.back()),
       "launching a function of the host");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  for (size_t i = 0; i < kCells; ++i) {
    dst.model[i] = dst.model[i] * host_work_.back().factor ^ src.model[kCells - 1 - i];
  }
}

// A pool's block is freed by this stream, and the region lives on in one that either stream of the
// device allocates: perhaps the same, if it may know that the block is free.
void RandomProgram::add_move(Lane& lane) {
  Region& region = regions_[static_cast<size_t>(lane.device) * 8 + draw(2)];
  Lane& next = lanes_[static_cast<size_t>(lane.device) * 2 + draw(2)];
  order_write(lane, region);
  must(aclrtMemPoolFreeAsync(region.memory, lane.stream), "aclrtMemPoolFreeAsync");
  void* memory = nullptr;
  must(aclrtMemPoolMallocAsync(&memory, kBlockBytes,
                               around_.pools[static_cast<size_t>(lane.device)], next.stream),
       "aclrtMemPoolMallocAsync");
  const auto byte = static_cast<uint8_t>(draw(256));
  region.memory = static_cast<uint64_t*>(memory);
  must(aclrtMemsetAsync(memory, sizeof region.model, byte, sizeof region.model, next.stream),
       "aclrtMemsetAsync");
  ++next.queued;
  note_write(next, region);
  region.model.fill(0x0101010101010101u * byte);
}

}  // namespace canopy::test
