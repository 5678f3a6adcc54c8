// A system without threads, or without address space for their stacks: calls return errors, and work again when there are
// some. Everything happens in children of fork, because an end of the process, or a hang, is what must not happen.
#include "tests/unit/base/thread_limit.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/driver/child_process.h"

#include "canopy/kernel.h"
#include "runtime/base/clock.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

// Longer than executors may be stuck in a block before spares are to take other work over.
__global__ __aicore__ void spin() {
  const uint64_t end = canopy::monotonic_ns() + 25'000'000;
  while (canopy::monotonic_ns() < end) {
  }
}
CANOPY_KERNEL(spin)

__global__ __aicore__ void count(uint64_t* out) { __atomic_fetch_add(out, 1, __ATOMIC_RELAXED); }
CANOPY_KERNEL_AICPU(count)

void note_call(void* raw) { *static_cast<bool*>(raw) = true; }
void note_failure(aclrtExceptionInfo*) {}

}  // namespace

namespace canopy::test {
namespace {

// What a program does with the runtime's threads. Goes on behind errors, as programs do not, but as they must be able to.
class Program {
 public:
  // "" when each call returned ACL_SUCCESS, 207005, or one of `also`.
  std::string run(std::vector<aclError> also = {}) {
    also_ = std::move(also);
    note("aclrtExceptionInfoCallbackRegister", aclrtExceptionInfoCallbackRegister(&note_failure));
    if (!note("aclrtSetDevice", aclrtSetDevice(0))) {
      return trouble_;
    }
    void* memory = nullptr;
    aclrtStream stream = nullptr;
    if (note("aclrtMalloc", aclrtMalloc(&memory, 4096, ACL_MEM_MALLOC_HUGE_FIRST)) &&
        note("aclrtCreateStream", aclrtCreateStream(&stream))) {
      use(stream, static_cast<uint64_t*>(memory));
      note("aclrtDestroyStream", aclrtDestroyStream(stream));
    }
    note("aclrtResetDevice", aclrtResetDevice(0));
    return trouble_;
  }
  bool complete() const { return complete_; }

 private:
  void use(aclrtStream stream, uint64_t* counter) {
    *counter = 0;
    note("a launch", launch(spin, 6, stream));
    const bool counts = note("a launch on AI CPUs", launch(count, 2, stream, counter));
    note("aclrtSetOpExecuteTimeOutWithMs", aclrtSetOpExecuteTimeOutWithMs(60'000));
    note("a launch with a limit", launch(spin, 1, stream));
    aclrtSetOpExecuteTimeOut(0);
    aclrtEvent event = nullptr;
    if (note("aclrtCreateEvent", aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC))) {
      note("aclrtRecordEvent", aclrtRecordEvent(event, stream));
      note("a wait with a limit", aclrtStreamWaitEventWithTimeout(stream, event, 60'000));
    }
    bool called = false;
    const bool calls = note("aclrtLaunchHostFunc", aclrtLaunchHostFunc(stream, &note_call, &called));
    note("aclrtSynchronizeStream", aclrtSynchronizeStream(stream));
    if (called != calls || *counter != (counts ? 2u : 0u)) {
      trouble_ += "what was queued did not run, or what was refused did; ";
    }
    if (event != nullptr) {
      note("aclrtDestroyEvent", aclrtDestroyEvent(event));
    }
  }

  bool note(const char* call, aclError code) {
    if (code == ACL_SUCCESS) {
      return true;
    }
    complete_ = false;
    const std::string sentence = why();
    const bool expected = code == ACL_ERROR_RT_RESOURCE_ALLOC_FAIL
                              ? !also_.empty() || sentence.find("RLIMIT_NPROC is ") != std::string::npos
                              : std::find(also_.begin(), also_.end(), code) != also_.end();
    if (!expected) {
      trouble_ += std::string(call) + " returned " + std::to_string(code) + ": " + sentence + "; ";
    }
    return false;
  }

  std::vector<aclError> also_;
  bool complete_ = true;
  std::string trouble_;
};

// The report of a child that runs `body`, which returns what it has to say.
template <class Body>
std::string told_by_child(Body&& body) {
  ChildProcess child([&](Line& line) {
    ::setenv("CANOPY_EXECUTORS", "2", 1);
    line.say(aclInit(nullptr) == ACL_SUCCESS ? body() : "aclInit failed");
    std::exit(0);  // through what runs at the end of a program
  });
  const std::string told = child.line().hear();
  if (told.empty()) {
    child.kill();
    return "it hung, or ended before its time";
  }
  const std::string end = child.line().hear();  // "" when it has gone
  const int status = child.wait();
  return status == 0 && end.empty() ? told : "it did not end in order: " + std::to_string(status);
}

std::string first_short_then_not(int number, bool only) {
  if (only) {
    ThreadLimit::refuse_only(number);
  } else {
    ThreadLimit::refuse_from(number);
  }
  Program hindered;
  std::string trouble = hindered.run();
  const bool met_the_limit = ThreadLimit::asked() >= number;
  ThreadLimit::lift();
  Program free;
  trouble += free.run();
  if (!free.complete()) {
    trouble += "not everything works again; ";
  }
  if (aclFinalize() != ACL_SUCCESS) {
    trouble += "aclFinalize failed; ";
  }
  return !trouble.empty() ? trouble : !met_the_limit ? "enough" : hindered.complete() ? "went on" : "errors";
}

TEST(ThreadLimit, EveryCallReturnsAndWorksAgainWhenThereAreThreads) {
  for (const bool only : {false, true}) {
    std::string told;
    int errors = 0;
    for (int number = 1; told != "enough" && number < 100; ++number) {
      told = told_by_child([&] { return first_short_then_not(number, only); });
      EXPECT_TRUE(told == "errors" || told == "went on" || told == "enough") << number << (only ? " only: " : ": ") << told;
      errors += told == "errors";
    }
    EXPECT_EQ(told, "enough");
    EXPECT_GE(errors, 6);  // callbacks, news, two executors, the watchdog, AI CPUs, limits
  }
}

TEST(ThreadLimit, ACallIsRefusedWithASentence) {
  const auto first_sentence = [](int number) {
    return told_by_child([&] {
      ThreadLimit::refuse_from(number);
      const aclError code = aclrtSetDevice(0);
      return std::to_string(code) + " " + why();
    });
  };
  const std::string second = first_sentence(3);
  EXPECT_EQ(second.find("207005 no thread for executor 2 of 2"), 0u) << second;
  const std::string watchdog = first_sentence(4);
  EXPECT_EQ(watchdog.find("207005 no thread for the watchdog of the executors"), 0u) << watchdog;
}

// ---- Address space.

size_t address_space_in_use() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

std::string first_narrow_then_not(size_t bytes_more) {
  rlimit before{};
  ::getrlimit(RLIMIT_AS, &before);
  const rlimit narrow{address_space_in_use() + bytes_more, before.rlim_max};
  ::setrlimit(RLIMIT_AS, &narrow);
  Program hindered;
  std::string trouble = hindered.run({ACL_ERROR_RT_MEMORY_ALLOCATION, ACL_ERROR_BAD_ALLOC});
  ::setrlimit(RLIMIT_AS, &before);
  Program free;
  trouble += free.run();
  if (!free.complete()) {
    trouble += "not everything works again; ";
  }
  return !trouble.empty() ? trouble : hindered.complete() ? "enough" : "errors";
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // which need terabytes of addresses
TEST(ThreadLimit, WithoutAddressesForStacksCallsReturnErrors) {
  constexpr size_t kStep = size_t{3} << 20;
  // What a device takes whatever happens is found first, and then each thread's share.
  size_t reserved = size_t{64} << 20;
  while (told_by_child([&] { return first_narrow_then_not(reserved); }) == "errors" && reserved < size_t{64} << 30) {
    reserved *= 2;
  }
  size_t least = reserved / 2;
  for (size_t most = reserved; most - least > kStep;) {
    const size_t middle = least + (most - least) / 2;
    (told_by_child([&] { return first_narrow_then_not(middle); }) == "errors" ? least : most) = middle;
  }
  for (size_t step = 0; step <= 22; ++step) {
    const size_t more = least + (step - 20) * kStep;
    const std::string told = told_by_child([&] { return first_narrow_then_not(more); });
    EXPECT_TRUE(told == "errors" || told == "enough") << more << " bytes: " << told;
  }
}
#endif

}  // namespace
}  // namespace canopy::test
