// The output of a command. All that commands print goes to stdout through say() or write_output(); main()
// asks at the end whether it got there. What cannot be written is dropped from then on, and a command that
// prints for ever ends at its first false.
#pragma once

#include "runtime/base/result.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace canopy::cli {

void write_output(std::string_view text);

template <class... A>
void say(fmt::format_string<A...> format, A&&... arguments) {
  write_output(fmt::format(format, std::forward<A>(arguments)...));
}

// Passes on what stdio holds back. Error: io, once anything could not be written.
Result<> flush_output();

// To stderr, where nobody hears that it cannot be written.
void write_error(std::string_view line);

// A closed stdin, stdout or stderr gets a descriptor that refuses: otherwise the next file that is opened,
// which may be the table that processes share, would take its place and get the output.
void hold_standard_streams();

}  // namespace canopy::cli
