// Owners of what the device runtime hands out, and its error codes as sentences. Each owner is
// move-only and gives its resource back when destroyed.
#pragma once

#include "acl/acl.h"
#include "aclshmem.h"
#include "examples/allgather_matmul/fallible.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>

namespace agmm {

// Success, or "`what` failed: error N: the runtime's own sentence".
inline Fallible<void> acl_done(aclError code, const std::string& what) {
  if (code == ACL_SUCCESS) {
    return {};
  }
  const char* text = aclGetRecentErrMsg();
  return failure("{} failed: error {}{}{}", what, code, text != nullptr ? ": " : "",
                 text != nullptr ? text : "");
}

// Memory of this card that no other card reaches.
struct FreeDeviceMemory {
  void operator()(void* at) const { aclrtFree(at); }
};
template <class T>
using DevicePtr = std::unique_ptr<T[], FreeDeviceMemory>;

template <class T>
Fallible<DevicePtr<T>> device_alloc(size_t count, const std::string& what) {
  void* at = nullptr;
  const size_t nbytes = std::max<size_t>(1, count) * sizeof(T);  // a rank may own nothing
  if (auto done = acl_done(aclrtMalloc(&at, nbytes, ACL_MEM_MALLOC_HUGE_FIRST),
                           fmt::format("aclrtMalloc of {} bytes for {}", nbytes, what));
      !done) {
    return tl::unexpected(done.error());
  }
  return DevicePtr<T>(static_cast<T*>(at));
}

// Symmetric memory in the cards' heap: allocated and freed by all ranks together.
struct FreeSymmetric {
  void operator()(void* at) const { aclshmem_free(at); }
};
template <class T>
using SymmetricPtr = std::unique_ptr<T[], FreeSymmetric>;

template <class T>
Fallible<SymmetricPtr<T>> symmetric_alloc(size_t count, const std::string& what) {
  const size_t nbytes = std::max<size_t>(1, count) * sizeof(T);
  void* at = aclshmem_calloc(nbytes, 1);
  if (at == nullptr) {
    return failure("aclshmem_calloc of {} bytes for {} failed", nbytes, what);
  }
  return SymmetricPtr<T>(static_cast<T*>(at));
}

// A stream with a start and a stop event: how long the cards work on what is queued between them.
class TimedStream {
 public:
  static Fallible<std::unique_ptr<TimedStream>> create() {
    auto made = std::unique_ptr<TimedStream>(new TimedStream);
    if (auto done = acl_done(aclrtCreateStream(&made->stream_), "aclrtCreateStream"); !done) {
      return tl::unexpected(done.error());
    }
    for (aclrtEvent* event : {&made->start_, &made->stop_}) {
      if (auto done = acl_done(aclrtCreateEventWithFlag(event, ACL_EVENT_TIME_LINE),
                               "aclrtCreateEventWithFlag");
          !done) {
        return tl::unexpected(done.error());
      }
    }
    return made;
  }
  ~TimedStream() {
    for (aclrtEvent event : {start_, stop_}) {
      if (event != nullptr) {
        aclrtDestroyEvent(event);
      }
    }
    if (stream_ != nullptr) {
      aclrtDestroyStream(stream_);
    }
  }
  TimedStream(const TimedStream&) = delete;
  TimedStream& operator=(const TimedStream&) = delete;

  aclrtStream get() const { return stream_; }

  // Runs queue() between the two events, waits for all of it, and returns the milliseconds between.
  // `queue` returns the code of its first launch that failed.
  template <class Queue>
  Fallible<double> time(const std::string& what, Queue&& queue) {
    float ms = 0;
    for (aclError code :
         {aclrtRecordEvent(start_, stream_), queue(), aclrtRecordEvent(stop_, stream_),
          aclrtSynchronizeStream(stream_), aclrtEventElapsedTime(&ms, start_, stop_)}) {
      if (auto done = acl_done(code, what); !done) {
        return tl::unexpected(done.error());
      }
    }
    return ms;
  }

 private:
  TimedStream() = default;
  aclrtStream stream_ = nullptr;
  aclrtEvent start_ = nullptr;
  aclrtEvent stop_ = nullptr;
};

}  // namespace agmm
