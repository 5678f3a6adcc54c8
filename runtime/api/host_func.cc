// acl_rt.h: functions of the host in stream order.
#include "runtime/api/guard.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/must_return.h"

#include <new>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

constexpr const char* kHostFunction = "host function";

struct HostFunction {
  aclrtHostFunc function;
  void* data;
  static void call(void* task) {
    const auto& [function, data] = *static_cast<const HostFunction*>(task);
    CallbackScope scope(kHostFunction);
    must_return("a host function of aclrtLaunchHostFunc", [&] { function(data); });
    Runtime::forget_choice();  // the next function here may be another stream's
  }
};

// As pthread_self() tells it, which is never 0.
Result<> check_thread(uint64_t thread) {
  if (thread == 0) {
    return fail(Errc::invalid_argument, "0 is no thread: what pthread_self() returns in the one that serves the stream is wanted");
  }
  return {};
}

Result<> subscribe(ReportThreads& threads, uint64_t thread, aclrtStream stream) {
  CANOPY_TRY(check_thread(thread));
  return runtime().stream(stream).and_then([&](Stream* found) -> Result<> {
    const bool with_other = runtime().callback_threads().subscribed(*found) ||
                            runtime().host_function_threads().subscribed(*found);
    if (with_other && !threads.subscribed(*found)) {
      return fail(Errc::stream_subscribed,
                  "stream {} has a thread for functions of the other kind: one kind per stream",
                  found->id());
    }
    return threads.subscribe(thread, *found);
  });
}

Result<> unsubscribe(ReportThreads& threads, uint64_t thread, aclrtStream stream) {
  CANOPY_TRY(check_thread(thread));
  return runtime().live_stream(stream).and_then(
      [&](Stream* found) { return threads.unsubscribe(thread, *found); });
}

Result<> process(ReportThreads& threads, int32_t timeout) {
  return acl::deadline_of(timeout).and_then(
      [&](Deadline deadline) { return threads.process(deadline); });
}

}  // namespace

extern "C" {

aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args) {
  if (fn == nullptr) {
    return acl::null_argument(__func__, "fn");
  }
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    if (runtime().host_function_threads().any() &&
        runtime().host_function_threads().subscribed(*found)) {
      return runtime().host_function_threads().launch(*found, fn, args, true);
    }
    found->post(sizeof(HostFunction), [&](Sqe& sqe, std::byte* memory) {
      sqe.kind = SqeKind::call;
      sqe.body.call = {&HostFunction::call, new (memory) HostFunction{fn, args}, kHostFunction};
    });
    return {};
  });
}

aclError aclrtSubscribeReport(uint64_t threadId, aclrtStream stream) {
  return guard([&] { return subscribe(runtime().callback_threads(), threadId, stream); });
}

aclError aclrtUnSubscribeReport(uint64_t threadId, aclrtStream stream) {
  return guard([&] { return unsubscribe(runtime().callback_threads(), threadId, stream); });
}

aclError aclrtProcessReport(int32_t timeout) {
  return guard([&] { return process(runtime().callback_threads(), timeout); });
}

aclError aclrtLaunchCallback(aclrtCallback fn, void* userData, aclrtCallbackBlockType blockType,
                             aclrtStream stream) {
  if (fn == nullptr) {
    return acl::null_argument(__func__, "fn");
  }
  return guard([&]() -> Result<> {
    if (blockType != ACL_CALLBACK_NO_BLOCK && blockType != ACL_CALLBACK_BLOCK) {
      return fail(Errc::invalid_argument, "aclrtLaunchCallback: block type {} is none",
                  static_cast<int>(blockType));
    }
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    return runtime().callback_threads().launch(*found, fn, userData,
                                               blockType == ACL_CALLBACK_BLOCK);
  });
}

aclError aclrtSubscribeHostFunc(uint64_t hostFuncThreadId, aclrtStream exeStream) {
  return guard(
      [&] { return subscribe(runtime().host_function_threads(), hostFuncThreadId, exeStream); });
}

aclError aclrtUnSubscribeHostFunc(uint64_t hostFuncThreadId, aclrtStream exeStream) {
  return guard(
      [&] { return unsubscribe(runtime().host_function_threads(), hostFuncThreadId, exeStream); });
}

aclError aclrtProcessHostFunc(int32_t timeout) {
  return guard([&] { return process(runtime().host_function_threads(), timeout); });
}

}  // extern "C"
