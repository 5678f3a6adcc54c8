// Functions of the program that run on threads of the runtime.
#pragma once

#include "runtime/base/log.h"

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <string>

namespace canopy {

// call(); ends the process, with a sentence, if it throws or ends its thread, which is in the middle of something. `what`
// it is: "a host function of ...".
template <class Call>
void must_return(const char* what, Call&& call) {
  const auto end_process = [what](const std::string& deed) {
    log(LogLevel::error, "{} {}; such functions run on a thread of the runtime and must return. The process ends", what, deed);
    std::abort();
  };
  try {
    call();
  } catch (const std::exception& thrown) {
    end_process(fmt::format("has thrown an exception: {}", thrown.what()));
  } catch (...) {  // also what pthread_exit() unwinds by
    end_process("has ended its thread, or thrown what is no std::exception");
  }
}

}  // namespace canopy
