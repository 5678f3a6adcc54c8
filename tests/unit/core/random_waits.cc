// What random programs do besides tasks on regions: gates that hold streams, waits of the host,
// calls that change nothing.
#include "canopy/kernel.h"
#include "tests/unit/core/conditions.h"
#include "tests/unit/core/random_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

__global__ __aicore__ void hold_until_set(uint64_t* word) {
  canopy_wait_until(
      [](void* p) {
        return static_cast<int>(
            std::atomic_ref(*static_cast<uint64_t*>(p)).load(std::memory_order_acquire) != 0);
      },
      word, "a random program's gate");
}
CANOPY_KERNEL(hold_until_set)

}  // namespace

namespace canopy::test {

void RandomProgram::in_time(aclError code, const char* what) const {
  if (code != ACL_ERROR_RT_STREAM_SYNC_TIMEOUT && code != ACL_ERROR_RT_EVENT_SYNC_TIMEOUT) {
    return;
  }
  std::string text =
      fmt::format("CANOPY_TEST_SEED={} hangs, waiting for {}; {}", seed_, what, failure_);
  for (const Lane& lane : lanes_) {
    (void)aclrtSetCurrentContext(lane.context);
    (void)aclrtSynchronizeStreamWithTimeout(lane.stream, 1);  // for what it says
    const char* says = aclGetRecentErrMsg();
    text += fmt::format("\nstream {}: {}", index_of(lane), says == nullptr ? "through" : says);
  }
  fmt::print("{}\n", text);
  std::fflush(stdout);
  std::abort();
}

void RandomProgram::add_noise(Lane& lane) {
  switch (draw(16)) {
    case 0:
    case 1:
    case 2:
      hold(lane);
      break;
    case 3:
      synchronize(lane);
      if (draw(8) == 0) {
        rest();
      }
      break;
    case 4:
      await_event(lane);
      break;
    case 5:
      read_to_pageable(lane);
      break;
    case 6: {
      aclrtStreamAttrValue value{};
      value.streamPriority = draw(3);
      must(aclrtSetStreamAttribute(lane.stream, ACL_STREAM_ATTR_PRIORITY, &value),
           "aclrtSetStreamAttribute");
      break;
    }
    case 7: {
      aclrtStreamStatus status;
      must(aclrtStreamQuery(lane.stream, &status), "aclrtStreamQuery");
      if (status == ACL_STREAM_STATUS_COMPLETE) {
        note_host_waited(lane, lane.queued);
        compare();
      }
      break;
    }
    default:
      wait_for(lane, static_cast<int>(draw(kStreams)), ~0u);
  }
}

// The stream goes on when open_gates() says so, by a kernel or by a wait for a value.
void RandomProgram::hold(Lane& lane) {
  uint64_t* word = word_area_->take(0);
  if (word == nullptr) {
    return;
  }
  must(draw(2) == 0 ? launch(hold_until_set, 1, lane.stream, word)
                    : aclrtValueWait(word, 1, ACL_STREAM_WAIT_VALUE_EQ, lane.stream),
       "holding a stream");
  if (gates_.empty()) {
    gates_since_ = 0;
  }
  gates_.push_back(word);
}

void RandomProgram::open_gates() {
  for (uint64_t* word : gates_) {
    std::atomic_ref(*word).store(1, std::memory_order_release);  // pairs with hold_until_set
  }
  gates_.clear();
}

void RandomProgram::note_host_waited(const Lane& lane, uint32_t task) {
  const size_t index = index_of(lane);
  host_covers_[index] = std::max(host_covers_[index], task);
  for (Lane& each : lanes_) {
    each.covers[index] = std::max(each.covers[index], task);
  }
}

void RandomProgram::synchronize(Lane& lane) {
  open_gates();
  must(aclrtSetCurrentContext(lane.context), "aclrtSetCurrentContext");
  const aclError code = aclrtSynchronizeStreamWithTimeout(lane.stream, patience_ms());
  in_time(code, "a stream");
  must(lane.error_due, code, "a synchronisation");
  lane.error_due = ACL_SUCCESS;
  note_host_waited(lane, lane.queued);
  compare();
}

// Until the executors sleep: whoever queues the next task has to wake one. (Should one be awake still, nothing
// else is different.)
void RandomProgram::rest() {
  for (Lane& lane : lanes_) {
    synchronize(lane);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// By a record at the stream's end: asked for again and again, or waited for.
void RandomProgram::await_event(Lane& lane) {
  open_gates();
  aclrtEvent event = nullptr;
  must(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC), "aclrtCreateEventExWithFlag");
  must(aclrtRecordEvent(event, lane.stream), "aclrtRecordEvent");
  aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
  for (uint32_t i = draw(2) * 10'000; i != 0 && status != ACL_EVENT_RECORDED_STATUS_COMPLETE; --i) {
    must(aclrtQueryEventStatus(event, &status), "aclrtQueryEventStatus");
    std::this_thread::yield();
  }
  if (status != ACL_EVENT_RECORDED_STATUS_COMPLETE) {
    const aclError code = aclrtSynchronizeEventWithTimeout(event, patience_ms());
    in_time(code, "an event");
    must(code, "aclrtSynchronizeEventWithTimeout");
  }
  must(aclrtDestroyEvent(event), "aclrtDestroyEvent");
  note_host_waited(lane, lane.queued);
  compare();
}

// A copy into pageable memory has synchronised the stream, and is done when the call returns.
void RandomProgram::read_to_pageable(Lane& lane) {
  if (lane.error_due != ACL_SUCCESS) {
    return;  // it would be told here, and nothing be copied
  }
  Region& region = region_of(lane.device);
  order_read(lane, region);
  open_gates();
  Cells found{};
  must(aclrtMemcpyAsync(found.data(), sizeof found, region.memory, sizeof found,
                        ACL_MEMCPY_DEVICE_TO_HOST, lane.stream),
       "aclrtMemcpyAsync to pageable memory");
  if (found != region.model && failure_.empty()) {
    failure_ = "a copy to pageable memory has returned before its bytes were there";
  }
  note_host_waited(lane, lane.queued);
  compare();
}

}  // namespace canopy::test
