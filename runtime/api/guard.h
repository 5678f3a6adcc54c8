// The C boundary: runs one C++ call, maps its error to a code of the acl interface, keeps exceptions,
// forked children and ending processes out.
#pragma once

#include "acl/acl.h"
#include "runtime/api/last_error.h"
#include "runtime/base/result.h"
#include "runtime/core/call_scope.h"
#include "runtime/core/runtime.h"

#include <exception>
#include <new>
#include <utility>

namespace canopy::acl {

// The code of the acl interface for an error.
aclError code_of(const Error& error);
// The same for what a failed task leaves (device/abi/fault_code.h).
aclError code_of_fault(int32_t code);
// True in a child of fork() whose parent had used the runtime, since executors do not survive a fork; and at exit,
// once they have been stopped.
bool executors_are_gone();
aclError refuse_without_executors();
aclError out_of_host_memory();
// Of a call that threw: a library that this one uses, or the system, had no more to give. 507000.
aclError refuse_exception(const char* what);
// "aclrtX: ... must not be NULL" and 100000.
aclError null_argument(const char* function, const char* argument);
// A handle of a kind that only holds values; null, and the last error, without memory.
template <class Handle>
Handle* new_handle() noexcept {
  auto* handle = new (std::nothrow) Handle{};
  if (handle == nullptr) {
    out_of_host_memory();
  }
  return handle;
}

// A timeout of the interface: ms, -1 no limit (then CANOPY_TIMEOUT holds), others must be positive.
Result<Deadline> deadline_of(int32_t timeout_ms);

// Of an array of the caller's with so many entries: more than `most` cannot be meant.
inline Result<> check_count(const char* function, size_t count, size_t most, const char* of_what) {
  if (count > most) {
    return fail(Errc::invalid_argument, "{}: {} {}, there are {} at most", function, count, of_what, most);
  }
  return {};
}

// Of lists of settings whose kinds may come twice: far more than there are kinds.
inline constexpr size_t kMostSettings = 64;

inline Runtime& runtime() { return Runtime::instance(); }

// The code of a function that has its own for some error.
using OwnCode = aclError (*)(aclError code);

// body() returns a Result<...>.
template <class Body>
aclError guard(Body&& body, OwnCode own = [](aclError code) { return code; }) {
  if (executors_are_gone()) [[unlikely]] {
    return refuse_without_executors();
  }
  try {
    const CallScope scope;
    auto result = body();
    if (result) [[likely]] {
      return ACL_SUCCESS;
    }
    return remember(own(code_of(result.error())));
  } catch (const std::bad_alloc&) {
    return out_of_host_memory();
  } catch (const std::exception& thrown) {
    return refuse_exception(thrown.what());
  } catch (...) {
    if (!std::current_exception()) {
      throw;  // no exception of C++'s: a function of the program's has ended this thread of its (pthread_exit)
    }
    return refuse_exception("not a std::exception");
  }
}

// The same, and stores the value in *out on success.
template <class Out, class Body>
aclError guard_into(Out* out, Body&& body, OwnCode own = [](aclError code) { return code; }) {
  return guard(
      [&]() -> Result<> { return body().map([&](auto&& value) { *out = std::forward<decltype(value)>(value); }); }, own);
}

}  // namespace canopy::acl

// First lines of an API function: CANOPY_ACL_NOT_NULL(devPtr);
#define CANOPY_ACL_NOT_NULL(argument)                                 \
  do {                                                                \
    if ((argument) == nullptr) [[unlikely]] {                         \
      return ::canopy::acl::null_argument(__func__, #argument);       \
    }                                                                 \
  } while (0)
