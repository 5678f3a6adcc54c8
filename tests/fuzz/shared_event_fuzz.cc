// The page of an event between processes, which each of them may scribble on: calls return, with a code if need be; a stream
// may wait in vain, but only until the page says otherwise or the stream is aborted.
//
//   STEP8 ...   0 OFFSET16 SIZE8 BYTES: written over the page; 1: a record, 2: a wait, 3: a query, 4: a wait of the host for
//               1 ms at most, 5: ring all who may wait; modulo 6
#include "acl/acl.h"
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/core/shared_event_page.h"
#include "runtime/driver/driver.h"
#include "tests/fuzz/input.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace canopy::fuzz {
namespace {

void must(aclError code) { CHECK(code == ACL_SUCCESS, "what has nothing to do with the page works"); }

class Site {
 public:
  Site() {
    must(aclInit(nullptr));
    must(aclrtSetDevice(0));
    must(aclrtCreateStream(&records_));
    must(aclrtCreateStream(&waits_));
  }

  void run(Input& input) {
    must(aclrtCreateEventExWithFlag(&event_, ACL_EVENT_IPC));
    aclrtIpcEventHandle handle{};
    must(aclrtIpcGetEventHandle(event_, &handle));  // from here on others are heard
    page_ = find_page();
    for (int steps = 0; !input.empty() && steps < kMostSteps; ++steps) {
      step(input);
    }
    mend();
    // Nothing is pending in a page that was never used: whoever waited is let go.
    settle(records_);
    settle(waits_);
    must(aclrtDestroyEvent(event_));
    page_->magic = 0;  // not found again while it belongs to nobody
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }

 private:
  static constexpr int kMostSteps = 64;

  // The one page of our files that holds the mark of an event. The file is found by a page of our own.
  static SharedEventPage* find_page() {
    auto neighbour = Driver::current().value()->sync_pages().take();
    CHECK(neighbour.has_value(), "there is memory for a page");
    std::byte* const file = (**neighbour).base() - (**neighbour).offset();
    for (size_t at = 0; at < (size_t{1} << 20); at += SyncPages::page_bytes()) {
      auto* page = reinterpret_cast<SharedEventPage*>(file + at);
      if (page->magic == SharedEventPage::kMagic) {
        return page;
      }
    }
    CHECK(false, "the event's page lies in the file of its neighbour");
    return nullptr;
  }
  void scribble(Input& input) {
    size_t at = input.number<uint16_t>() % sizeof(SharedEventPage);
    for (const char c : input.bytes(input.byte())) {
      reinterpret_cast<volatile char*>(page_)[at] = c;
      at = (at + 1) % sizeof(SharedEventPage);
    }
  }
  void step(Input& input) {
    aclrtEventRecordedStatus status;
    switch (input.byte() % 6) {
      case 0: scribble(input); break;
      case 1: (void)aclrtRecordEvent(event_, records_); break;
      case 2: (void)aclrtStreamWaitEvent(waits_, event_); break;
      case 3: (void)aclrtQueryEventStatus(event_, &status); break;
      case 4: (void)aclrtSynchronizeEventWithTimeout(event_, 1); break;
      default: ring(); break;
    }
  }
  static void ring() { Driver::current().value()->host_table().bell().ring(~uint64_t{0}); }
  // As it was made.
  void mend() {
    std::memset(static_cast<void*>(page_), 0, sizeof *page_);
    page_->magic = SharedEventPage::kMagic;
    ring();
  }
  static void settle(aclrtStream stream) {
    CHECK(aclrtSynchronizeStreamWithTimeout(stream, 10'000) != ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "nobody waits for a mended page");
    must(aclrtSynchronizeStream(stream));  // the error was told
  }

  aclrtStream records_ = nullptr;
  aclrtStream waits_ = nullptr;
  aclrtEvent event_ = nullptr;
  SharedEventPage* page_ = nullptr;
};

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  static auto* const site = new fuzz::Site;  // for as long as the executors
  fuzz::Input input(data, bytes);
  site->run(input);
  return 0;
}
