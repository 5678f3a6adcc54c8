#include "launcher/cli/acl_owner.h"

#include <algorithm>
#include <source_location>
#include <utility>

namespace canopy::cli {

Result<> acl_ok(aclError code, std::string_view call) {
  if (code == ACL_SUCCESS) [[likely]] {
    return {};
  }
  return fail(Errc::internal, "{} returned {}: {}", call, code, acl_sentence());
}

std::string acl_sentence() {
  const char* text = aclGetRecentErrMsg();
  std::string sentence = text == nullptr ? "no more is known" : text;
  sentence.resize(std::min(sentence.size(), sentence.find("\n  code ")));  // without the advice
  return sentence;
}

Silence::Silence() : sentence_(error_text::take_newest()) {}

Silence::~Silence() {
  while (aclGetRecentErrMsg() != nullptr) {
  }
  if (!sentence_.empty()) {
    error_text::record(Errc::internal, 0, std::move(sentence_), std::source_location::current());
  }
}

Result<AclSession> AclSession::open() {
  CANOPY_TRY(acl_ok(aclInit(nullptr), "aclInit"));
  return AclSession();
}

AclSession::~AclSession() {
  if (open_) {
    const Silence silence;
    aclFinalize();
  }
}

Result<DeviceMemory> device_memory(int device, uint64_t bytes) {
  void* memory = nullptr;
  CANOPY_TRY(acl_ok(aclrtSetDevice(device), "aclrtSetDevice"));
  CANOPY_TRY(acl_ok(aclrtMalloc(&memory, bytes, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc"));
  return DeviceMemory(memory);
}

Result<PinnedMemory> pinned_memory(uint64_t bytes) {
  void* memory = nullptr;
  CANOPY_TRY(acl_ok(aclrtMallocHost(&memory, bytes), "aclrtMallocHost"));
  return PinnedMemory(memory);
}

Result<OwnedStream> make_stream(int device) {
  aclrtStream stream = nullptr;
  CANOPY_TRY(acl_ok(aclrtSetDevice(device), "aclrtSetDevice"));
  CANOPY_TRY(acl_ok(aclrtCreateStream(&stream), "aclrtCreateStream"));
  return OwnedStream(stream, DestroyStream{device});
}

Result<OwnedEvent> make_event(int device) {
  aclrtEvent event = nullptr;
  CANOPY_TRY(acl_ok(aclrtSetDevice(device), "aclrtSetDevice"));
  CANOPY_TRY(
      acl_ok(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC), "aclrtCreateEventExWithFlag"));
  return OwnedEvent(event);
}

}  // namespace canopy::cli
