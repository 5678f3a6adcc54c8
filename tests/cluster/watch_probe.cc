// The leader of one fake host: watch_probe HOST HOSTS FOLDER
//
// Meets the others through FOLDER, which all hosts see, watches them, and prints what it is told,
// each line with the wall clock's milliseconds: "ready", "silent HOST REASON", "notice TEXT", "left
// CPU-MS". Lines on stdin are told to all; at its end the leader leaves.
#include "launcher/bootstrap/host_watch.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include <sys/resource.h>

namespace {

void say(const std::string& line) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  // One call: callbacks print from the watch's thread.
  std::fputs(fmt::format("{} {}\n", now, line).c_str(), stdout);
  std::fflush(stdout);
}

std::string await_file(const std::string& path) {
  std::string line;
  for (std::ifstream file(path); !std::getline(file, line); file = std::ifstream(path)) {
    std::this_thread::yield();
  }
  return line;
}

long cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
         (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return 2;
  }
  const int host = std::atoi(argv[1]);
  const int n_hosts = std::atoi(argv[2]);
  const std::string folder = argv[3];
  auto watch = canopy::HostWatch::listen();
  if (!watch) {
    say("failed " + canopy::error_text::newest());
    return 1;
  }
  const std::string draft = fmt::format("{}/draft.{}", folder, host);
  std::ofstream(draft) << (*watch)->address() << "\n";
  std::filesystem::rename(draft, fmt::format("{}/address.{}", folder, host));
  std::vector<std::string> addresses;
  for (int other = 0; other < n_hosts; ++other) {
    addresses.push_back(await_file(fmt::format("{}/address.{}", folder, other)));
  }
  const auto started =
      (*watch)->start(host, addresses,
                      {[](int silent, std::string_view reason) {
                         say(fmt::format("silent {} {}", silent, reason));
                       },
                       [](std::string_view notice) { say(fmt::format("notice {}", notice)); }});
  if (!started) {
    say("failed " + canopy::error_text::newest());
    return 1;
  }
  const long before_ms = cpu_ms();
  say("ready");
  for (std::string line; std::getline(std::cin, line);) {
    if (!(*watch)->tell_all(line)) {
      say("failed " + canopy::error_text::newest());
    }
  }
  (*watch)->leave();
  say(fmt::format("left {}", cpu_ms() - before_ms));
  return 0;
}
