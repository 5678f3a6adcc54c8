// start_thread(): how every thread of the project's own begins, so that a system that has no more of them is an error of the
// call that needs one, and neither an exception nor the end of the process.
//
//   CANOPY_TRY(start_thread(&thread_, "the broker", [this] { run(); }));
//
// A thread needs a place below RLIMIT_NPROC, pids.max of the control group and kernel.threads-max, and address space for its
// stack (RLIMIT_AS). Whatever is short, the system says EAGAIN.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/signals_blocked.h"

#include <cerrno>
#include <initializer_list>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

namespace canopy {

// Errc::limit, with the limits of this process: no thread for `what`. Without memory for a sentence there is none.
tl::unexpected<Error> refuse_thread(std::string_view what, int err) noexcept;

// Starts `body` on a new thread that takes no signals but `open`, and gives it to *thread, a std::thread or std::jthread that has none.
// On failure *thread is as before, and `body` has not run.
template <class Thread, class Body, class Signals = std::initializer_list<int>>
Result<> start_thread(Thread* thread, std::string_view what, Body&& body, const Signals& open = {}) {
  int err = 0;
  try {
    const SignalsBlocked blocked(open);
    *thread = Thread(std::forward<Body>(body));
    return {};
  } catch (const std::system_error& failed) {
    err = failed.code().value();
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
  }
  return refuse_thread(what, err);
}

}  // namespace canopy
