// SecondProcess: the test program started once more, to play a role in a test: by exec, because a child of fork cannot
// use the runtime. Needs second_process.cc in the program.
//
//   ROLE(counts) { ... line.hear() ... line.say("done"); }
//   TEST(...) { SecondProcess other("counts"); other.line().say("go"); ... }
//
// It has the machine and the host table of the test, and dies with it.
#pragma once

#include "tests/unit/driver/child_process.h"

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace canopy::test {

struct Role {
  Role(const char* name, void (*play)(Line& line));
};
#define ROLE(name)                                         \
  static void name(::canopy::test::Line& line);            \
  static const ::canopy::test::Role role_##name(#name, name); \
  static void name([[maybe_unused]] ::canopy::test::Line& line)

class SecondProcess {
 public:
  // `environment`: on top of this process's.
  explicit SecondProcess(const std::string& role,
                         const std::vector<std::pair<std::string, std::string>>& environment = {});
  ~SecondProcess();
  SecondProcess(const SecondProcess&) = delete;

  Line& line() { return *line_; }
  pid_t pid() const { return pid_; }
  // Says `what`, and returns the answer.
  std::string ask(const std::string& what) {
    line().say(what);
    return line().hear();
  }
  // kill -9, and waits until the process has left for good.
  void kill();
  // Waits until it has left by itself: its status.
  int wait();

 private:
  std::unique_ptr<Line> line_;
  pid_t pid_ = -1;
};

}  // namespace canopy::test
