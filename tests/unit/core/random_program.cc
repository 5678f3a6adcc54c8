#include "tests/unit/core/random_program.h"

#include "tests/unit/core/side_show.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace canopy::test {
namespace {

constexpr size_t kRegionsOfADevice = 8;
constexpr size_t kPooledOfADevice = 2;
// Gates hold streams no longer than this, or a full queue would hold the generator.
constexpr uint32_t kTasksBehindGates = 40;

}  // namespace

void RandomProgram::must(aclError wanted, aclError code, const char* what) {
  if (code != wanted && failure_.empty()) {
    const char* text = aclGetRecentErrMsg();
    failure_ =
        fmt::format("{} returned {}, not {}: {}", what, code, wanted, text == nullptr ? "" : text);
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

void RandomProgram::set_up(uint32_t tasks) {
  for (int i = 0; i < kStreams; ++i) {
    Lane& lane = lanes_[static_cast<size_t>(i)];
    lane.device = i / 2;
    must(aclrtSetDevice(lane.device), "aclrtSetDevice");
    must(aclrtGetCurrentContext(&lane.context), "aclrtGetCurrentContext");
    must(aclrtCreateStreamWithConfig(&lane.stream, draw(3), 0), "aclrtCreateStreamWithConfig");
    lane.reports = lane.device == 0 && draw(2) == 0;
    if (lane.reports) {
      must(aclrtSubscribeReport(around_.report_thread, lane.stream), "aclrtSubscribeReport");
    }
  }
  const size_t words = size_t{tasks} * 2;
  void* memory = nullptr;
  must(aclrtMalloc(&memory, words * sizeof *words_, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
  words_ = static_cast<uint64_t*>(memory);
  word_area_.emplace(words_, words);
  hand_over_.emplace([this](aclError code, const char* what) { must(code, what); }, *word_area_);
  hand_over_->set_up();
  set_up_regions();
}

void RandomProgram::set_up_regions() {
  for (size_t i = 0; i < kRegions; ++i) {
    Region& region = regions_[i];
    void* memory = nullptr;
    region.device = i < 2 * kRegionsOfADevice ? static_cast<int>(i / kRegionsOfADevice) : -1;
    region.pooled = region.device >= 0 && i % kRegionsOfADevice < kPooledOfADevice;
    if (region.device < 0) {
      must(aclrtMallocHost(&memory, sizeof region.model), "aclrtMallocHost");
    } else {
      const Lane& lane = lanes_[static_cast<size_t>(region.device) * 2];
      must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
      must(region.pooled ? aclrtMemPoolMallocAsync(
                               &memory, kBlockBytes,
                               around_.pools[static_cast<size_t>(region.device)], lane.stream)
                         : aclrtMalloc(&memory, sizeof region.model, ACL_MEM_MALLOC_HUGE_FIRST),
           "allocating a region");
      if (region.pooled) {  // the block is the program's when the stream gets there
        must(aclrtSynchronizeStream(lane.stream), "aclrtSynchronizeStream");
      }
    }
    for (uint64_t& cell : region.model) {
      cell = random_();
    }
    region.memory = static_cast<uint64_t*>(memory);
    must(aclrtMemcpy(memory, sizeof region.model, region.model.data(), sizeof region.model,
                     ACL_MEMCPY_DEFAULT),
         "aclrtMemcpy");
  }
}

void RandomProgram::tear_down() {
  for (Region& region : regions_) {
    if (region.pooled) {
      const Lane& lane = lanes_[static_cast<size_t>(region.device) * 2];
      must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
      must(aclrtMemPoolFreeAsync(region.memory, lane.stream), "aclrtMemPoolFreeAsync");
    } else {
      must(region.device < 0 ? aclrtFreeHost(region.memory) : aclrtFree(region.memory), "a free");
    }
  }
  hand_over_->tear_down();
  for (Lane& lane : lanes_) {
    must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
    if (lane.reports) {
      must(aclrtUnSubscribeReport(around_.report_thread, lane.stream), "aclrtUnSubscribeReport");
    }
    must(aclrtDestroyStream(lane.stream), "aclrtDestroyStream");
  }
  must(aclrtFree(words_), "a free");
}

std::string RandomProgram::run(uint32_t tasks) {
  set_up(tasks);
  const uint32_t show_at = draw(tasks);
  for (uint32_t i = 0; i < tasks && failure_.empty(); ++i) {
    if (!gates_.empty() && ++gates_since_ > kTasksBehindGates) {
      open_gates();
    }
    one_task();
    if (i == show_at) {
      one_side_show();
    }
  }
  for (Lane& lane : lanes_) {
    synchronize(lane);
  }
  tear_down();
  return failure_;
}

void RandomProgram::compare() {
  for (size_t r = 0; r < kRegions && failure_.empty(); ++r) {
    const Region& region = regions_[r];
    if (region.writer >= 0 &&
        region.written_at > host_covers_[static_cast<size_t>(region.writer)]) {
      continue;
    }
    Cells found;
    std::memcpy(found.data(), region.memory, sizeof found);
    for (size_t i = 0; i < kCells; ++i) {
      if (found[i] != region.model[i]) {
        failure_ =
            fmt::format("region {} cell {}: {:#x}, the model has {:#x}; last written by stream {}",
                        r, i, found[i], region.model[i], region.writer);
        return;
      }
    }
  }
}

void RandomProgram::one_task() {
  Lane& lane = lanes_[draw(kStreams)];
  must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
  const uint32_t kind = draw(100);
  if (kind < 28) {
    add_kernel(lane);
  } else if (kind < 36) {
    add_blocks_kernel(lane);
  } else if (kind < 38) {
    add_failing_kernel(lane);
  } else if (kind < 52) {
    add_copy(lane);
  } else if (kind < 56) {
    add_copy_of_rows(lane);
  } else if (kind < 64) {
    add_fill(lane);
  } else if (kind < 70) {
    add_reduction(lane);
  } else if (kind < 80) {
    add_host_function(lane);
  } else if (kind < 84) {
    add_move(lane);
  } else {
    add_noise(lane);
  }
}

void RandomProgram::one_side_show() {
  const Lane& lane = lanes_[draw(kStreams)];
  must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
  const std::string wrong = SideShow(random_, lane.device).run();
  if (failure_.empty()) {
    failure_ = wrong;
  }
}

// ---- Order.

void RandomProgram::wait_for(Lane& lane, int stream, uint32_t task) {
  const int me = static_cast<int>(index_of(lane));
  if (stream == me || task <= lane.covers[static_cast<size_t>(stream)]) {
    return;
  }
  // The record comes after everything queued there so far, and covers what that stream has waited
  // for.
  Lane& source = lanes_[static_cast<size_t>(stream)];
  hand_over_->run(draw(HandOver::kWays), end_of(source), end_of(lane), ++hand_overs_);
  lane.covers[static_cast<size_t>(stream)] = source.queued;
  for (size_t i = 0; i < kStreams; ++i) {
    lane.covers[i] = std::max(lane.covers[i], source.covers[i]);
  }
  must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
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
  region.read_at[index_of(lane)] = lane.queued;
}

void RandomProgram::note_write(const Lane& lane, Region& region) {
  region.writer = static_cast<int>(index_of(lane));
  region.written_at = lane.queued;
  region.read_at = {};
}

}  // namespace canopy::test
