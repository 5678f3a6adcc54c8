#include "tests/unit/core/random_program.h"

#include "canopy/kernel.h"
#include "tests/unit/core/hand_over.h"

#include <fmt/format.h>

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

}  // namespace

namespace canopy::test {

void RandomProgram::must(aclError code, const char* what) {
  if (code != ACL_SUCCESS && failure_.empty()) {
    const char* text = aclGetRecentErrMsg();
    failure_ = fmt::format("{} returned {}: {}", what, code, text == nullptr ? "" : text);
  }
}

RandomProgram::Region& RandomProgram::other_region(const Region& than) {
  for (;;) {
    Region& region = any_region();
    if (&region != &than) {
      return region;
    }
  }
}

void RandomProgram::set_up() {
  for (int i = 0; i < kStreams; ++i) {
    must(aclrtSetDevice(i / 2), "aclrtSetDevice");
    must(aclrtGetCurrentContext(&lanes_[i].context), "aclrtGetCurrentContext");
    must(aclrtCreateStreamWithConfig(&lanes_[i].stream, draw(3), 0), "aclrtCreateStreamWithConfig");
  }
  void* words = nullptr;
  must(aclrtMalloc(&words, kStreams * kStreams * sizeof *words_, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  must(aclrtMemset(words, kStreams * kStreams * sizeof *words_, 0, kStreams * kStreams * sizeof *words_), "aclrtMemset");
  words_ = static_cast<uint64_t*>(words);
  for (Region& region : regions_) {
    void* memory = nullptr;
    if (pinned(region)) {
      must(aclrtMallocHost(&memory, sizeof region.model), "aclrtMallocHost");
    } else {
      must(aclrtSetDevice(&region - regions_.data() < 8 ? 0 : 1), "aclrtSetDevice");
      must(aclrtMalloc(&memory, sizeof region.model, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
    }
    for (uint64_t& cell : region.model) {
      cell = random_();
    }
    region.memory = static_cast<uint64_t*>(memory);
    must(aclrtMemcpy(memory, sizeof region.model, region.model.data(), sizeof region.model, ACL_MEMCPY_DEFAULT), "aclrtMemcpy");
  }
}

void RandomProgram::tear_down() {
  for (Lane& lane : lanes_) {
    must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
    must(aclrtDestroyStream(lane.stream), "aclrtDestroyStream");
  }
  must(aclrtFree(words_), "a free");
  for (Region& region : regions_) {
    must(pinned(region) ? aclrtFreeHost(region.memory) : aclrtFree(region.memory), "a free");
  }
}

std::string RandomProgram::run(uint32_t tasks) {
  set_up();
  for (uint32_t i = 0; i < tasks && failure_.empty(); ++i) {
    one_task();
  }
  for (Lane& lane : lanes_) {
    must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
    must(aclrtSynchronizeStreamWithTimeout(lane.stream, 60'000), "the last synchronize");
  }
  std::string wrong = failure_.empty() ? compare() : failure_;
  tear_down();
  return wrong.empty() ? failure_ : wrong;
}

std::string RandomProgram::compare() const {
  for (size_t r = 0; r < kRegions; ++r) {
    Cells found;
    std::memcpy(found.data(), regions_[r].memory, sizeof found);
    for (size_t i = 0; i < kCells; ++i) {
      if (found[i] != regions_[r].model[i]) {
        return fmt::format("region {} cell {}: {:#x}, the model has {:#x}; last written by stream {}", r, i, found[i],
                           regions_[r].model[i], regions_[r].writer);
      }
    }
  }
  return {};
}

void RandomProgram::one_task() {
  Lane& lane = lanes_[draw(kStreams)];
  must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
  const uint32_t kind = draw(100);
  if (kind < 35) {
    add_kernel(lane);
  } else if (kind < 45) {
    add_blocks_kernel(lane);
  } else if (kind < 65) {
    add_copy(lane);
  } else if (kind < 75) {
    add_fill(lane);
  } else if (kind < 88) {
    add_host_function(lane);
  } else {
    add_noise(lane);
  }
}

void RandomProgram::wait_for(Lane& lane, int stream, uint32_t task) {
  const int me = index_of(lane);
  if (stream == me || task <= lane.covers[static_cast<size_t>(stream)]) {
    return;
  }
  // The record comes after everything queued there so far, and covers what that stream has waited for.
  Lane& source = lanes_[static_cast<size_t>(stream)];
  const HandOver hand_over([this](aclError code, const char* what) { must(code, what); });
  hand_over.run(draw(HandOver::kWays), {source.context, source.stream}, {lane.context, lane.stream},
                words_ + stream * kStreams + me, ++hand_overs_);
  lane.covers[static_cast<size_t>(stream)] = source.queued;
  for (size_t i = 0; i < kStreams; ++i) {
    lane.covers[i] = std::max(lane.covers[i], source.covers[i]);
  }
}

void RandomProgram::order_read(Lane& lane, const Region& region) {
  if (region.writer >= 0) {
    wait_for(lane, region.writer, region.written_at);
  }
}

void RandomProgram::order_write(Lane& lane, const Region& region) {
  order_read(lane, region);
  for (int i = 0; i < kStreams; ++i) {
    wait_for(lane, i, region.read_at[static_cast<size_t>(i)]);
  }
}

// REQUIRES (both): the task has been queued.
void RandomProgram::note_read(const Lane& lane, Region& region) {
  region.read_at[static_cast<size_t>(index_of(lane))] = lane.queued;
}

void RandomProgram::note_write(const Lane& lane, Region& region) {
  region.writer = index_of(lane);
  region.written_at = lane.queued;
  region.read_at = {};
}

void RandomProgram::add_kernel(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  const uint64_t value = random_();
  order_read(lane, src);
  order_write(lane, dst);
  must(launch(combine, 1, lane.stream, reinterpret_cast<GM_ADDR>(dst.memory), reinterpret_cast<GM_ADDR>(src.memory), value),
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
  must(launch(combine_blocks, blocks, lane.stream, reinterpret_cast<GM_ADDR>(dst.memory), value), "launching combine_blocks");
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

void RandomProgram::add_copy(Lane& lane) {
  Region& dst = any_region();
  Region& src = other_region(dst);
  if (pinned(dst) && pinned(src)) {
    return;  // host to host is not asynchronous
  }
  order_read(lane, src);
  order_write(lane, dst);
  must(aclrtMemcpyAsync(dst.memory, sizeof dst.model, src.memory, sizeof src.model, ACL_MEMCPY_DEFAULT, lane.stream),
       "aclrtMemcpyAsync");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  dst.model = src.model;
}

void RandomProgram::add_fill(Lane& lane) {
  Region& dst = any_region();
  const auto byte = static_cast<uint8_t>(draw(256));
  const size_t cells = 1 + draw(kCells);
  order_write(lane, dst);
  must(aclrtMemsetAsync(dst.memory, sizeof dst.model, byte, cells * 8, lane.stream), "aclrtMemsetAsync");
  ++lane.queued;
  note_write(lane, dst);
  std::memset(dst.model.data(), byte, cells * 8);
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
  must(aclrtLaunchHostFunc(lane.stream, work, &host_work_.back()), "aclrtLaunchHostFunc");
  ++lane.queued;
  note_read(lane, src);
  note_write(lane, dst);
  for (size_t i = 0; i < kCells; ++i) {
    dst.model[i] = dst.model[i] * host_work_.back().factor ^ src.model[kCells - 1 - i];
  }
}

// Calls that change no cell: order nobody relies on, queries, a synchronize now and then.
void RandomProgram::add_noise(Lane& lane) {
  const uint32_t kind = draw(8);
  const auto other = static_cast<size_t>(draw(kStreams));
  if (kind < 5) {
    wait_for(lane, static_cast<int>(other), ~0u);
  } else if (kind < 7) {
    aclrtStreamStatus status;
    must(aclrtStreamQuery(lane.stream, &status), "aclrtStreamQuery");
  } else {
    must(aclrtSynchronizeStreamWithTimeout(lane.stream, 60'000), "a synchronize");
    for (Lane& each : lanes_) {
      each.covers[static_cast<size_t>(index_of(lane))] = lane.queued;
    }
  }
}

}  // namespace canopy::test
