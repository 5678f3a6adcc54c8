// Owners of what the acl interface gives out, for commands that are its users. Not thread-safe: an
// owner makes the device of what it owns the thread's device.
#pragma once

#include "acl/acl.h"
#include "runtime/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace canopy::cli {

// Success, or a failure with the call's name and the runtime's sentence.
Result<> acl_ok(aclError code, std::string_view call);
// That sentence, of the newest call that failed.
std::string acl_sentence();

// While it lives, calls fail without a word: the newest sentence stays what it was. For what is given back
// on the way out of a failure, where a lost device refuses even that.
class Silence {
 public:
  Silence();
  Silence(const Silence&) = delete;
  ~Silence();

 private:
  std::string sentence_;
};

// The runtime between aclInit and aclFinalize.
class AclSession {
 public:
  static Result<AclSession> open();
  AclSession(AclSession&& other) noexcept : open_(std::exchange(other.open_, false)) {}
  AclSession& operator=(AclSession&&) = delete;
  ~AclSession();

 private:
  AclSession() = default;
  bool open_ = true;
};

struct FreeDevice {
  void operator()(void* memory) const {
    const Silence silence;
    aclrtFree(memory);
  }
};
struct FreeHost {
  void operator()(void* memory) const {
    const Silence silence;
    aclrtFreeHost(memory);
  }
};
struct DestroyStream {
  int device = 0;  // a stream goes only while its device is the thread's
  void operator()(void* stream) const {
    const Silence silence;
    aclrtSetDevice(device);
    aclrtDestroyStream(stream);
  }
};
struct DestroyEvent {
  void operator()(void* event) const {
    const Silence silence;
    aclrtDestroyEvent(event);
  }
};
using DeviceMemory = std::unique_ptr<void, FreeDevice>;
using PinnedMemory = std::unique_ptr<void, FreeHost>;
using OwnedStream = std::unique_ptr<void, DestroyStream>;
using OwnedEvent = std::unique_ptr<void, DestroyEvent>;

Result<DeviceMemory> device_memory(int device, uint64_t bytes);
Result<PinnedMemory> pinned_memory(uint64_t bytes);
Result<OwnedStream> make_stream(int device);
// For waits of streams.
Result<OwnedEvent> make_event(int device);

}  // namespace canopy::cli
