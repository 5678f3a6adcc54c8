// FakeProc: a folder that looks like /proc, with processes that a test invents.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace canopy {

class FakeProc {
 public:
  FakeProc() {
    static int count = 0;
    root_ = std::filesystem::temp_directory_path() /
            fmt::format("canopy-proc-{}-{}", ::getpid(), count++);
    std::filesystem::create_directories(root_);
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  std::string root() const { return root_.string(); }

  struct Process {
    int pid;
    int parent;
    std::string command;
    std::string environment = {};  // entries ended by NUL
    char state = 'S';
    int threads = 1;
    int start_ticks = 100;
  };
  void add(const Process& p) {
    const auto folder = root_ / std::to_string(p.pid);
    std::filesystem::create_directories(folder);
    // proc(5): 13 fields stand between ppid and num_threads, one between that and starttime.
    std::ofstream(folder / "stat")
        << fmt::format("{} ({}) {} {} 1 1 0 -1 4194560 90 0 0 0 1 2 0 0 20 0 {} 0 {} 1000 20\n",
                       p.pid, p.command, p.state, p.parent, p.threads, p.start_ticks);
    std::ofstream(folder / "environ") << p.environment;
  }
  void remove(int pid) { std::filesystem::remove_all(root_ / std::to_string(pid)); }

  static std::string pe(const std::string& nspace, int rank) {
    using namespace std::string_literals;
    return "HOME=/\0"s + "PMIX_NAMESPACE=" + nspace + "\0PMIX_RANK="s + std::to_string(rank) +
           "\0"s;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace canopy
