// What a task of a stream waits for, in words: for sentences of errors and for hang reports.
#pragma once

#include "runtime/device/abi/sqe.h"

#include <cstdint>
#include <string>

namespace canopy {

// "notify 7 to be equal to 1". Looks at the entry only, not at what it points to: the task may be
// over by now, and that gone. "" for tasks that wait for nothing.
std::string describe_wait(const Sqe& sqe);
// To stand behind it: ", it is 0"; "" when there is nothing to add. Looks at the word, or the cell, which are never freed
// or may be read after they were.
std::string describe_state(const Sqe& sqe);
// "900 s"; "20 us" when it is no whole number of seconds.
std::string describe_span(uint64_t ns);
// "equal to", to stand before the value.
const char* describe(NotifyTest test);

}  // namespace canopy
