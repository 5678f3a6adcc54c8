// The canopy command as a shell runs it.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace canopy::test {

struct Ran {
  int code = -1;
  std::string out;
};

// What the line of a shell prints to its stdout.
inline Ran shell(const std::string& line) {
  Ran ran;
  FILE* pipe = ::popen(line.c_str(), "r");
  std::array<char, 4096> buffer;
  for (size_t got; pipe != nullptr && (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) != 0;) {
    ran.out.append(buffer.data(), got);
  }
  const int status = pipe != nullptr ? ::pclose(pipe) : -1;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

// Both streams of `canopy ARGUMENTS`.
inline Ran canopy_command(const std::string& arguments) {
  return shell(std::string(CANOPY_COMMAND) + " " + arguments + " 2>&1");
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace canopy::test
