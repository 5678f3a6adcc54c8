// smi_ms: `canopy smi` from its start to its end, while 8 processes have a device each and memory
// on it.
#include "tests/bench/sharing/sharing.h"

#include <fcntl.h>
#include <spawn.h>

#include <filesystem>
#include <memory>
#include <string>

extern char** environ;

namespace canopy::bench {
namespace {

constexpr int kProcesses = 8;
constexpr size_t kHeld = size_t{16} << 20;

// A process that has opened a device and then only waits to be told to leave.
class Holder {
 public:
  explicit Holder(int device) {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0,
            "socketpair failed");
    pid_ = ::fork();
    require(pid_ >= 0, "fork failed");
    if (pid_ == 0) {
      ::close(ends[0]);
      hold(device, ends[1]);
    }
    ::close(ends[1]);
    line_ = ends[0];
    Line(line_).hear();
  }
  ~Holder() {
    Line(line_).say();  // closing would not do: younger ones have inherited the descriptor
    ::close(line_);
    int status = -1;
    ::waitpid(pid_, &status, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  pid_t pid() const { return pid_; }

 private:
  [[noreturn]] static void hold(int device, int line) {
    {
      Session session(device);
      HbmArray<uint64_t> memory(kHeld / sizeof(uint64_t));
      Line(line).say();
      char byte;
      [[maybe_unused]] const ssize_t end = ::recv(line, &byte, 1, 0);
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int line_ = -1;
};

std::string output_of(const std::string& program) {
  int pipe[2];
  require(::pipe2(pipe, O_CLOEXEC) == 0, "pipe failed");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  std::string command = program;
  std::string argument = "smi";
  char* const arguments[] = {command.data(), argument.data(), nullptr};
  pid_t pid = -1;
  require(::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ) == 0,
          "canopy cannot be started");
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(pipe[0], part, sizeof part)) > 0;) {
    text.append(part, static_cast<size_t>(got));
  }
  ::close(pipe[0]);
  int status = -1;
  require(::waitpid(pid, &status, 0) == pid && status == 0, "canopy smi failed");
  return text;
}

}  // namespace

void smi_ms(double ns_per_tick) {
  // A host table of our own: what else runs on this machine is not in it.
  static const std::string table =
      std::filesystem::temp_directory_path() / ("canopy-smi-bench-" + std::to_string(::getpid()));
  std::atexit([] { ::unlink(table.c_str()); });
  ::setenv("CANOPY_HOST_TABLE", table.c_str(), 1);
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "canopy";
  std::vector<double> samples;
  {
    std::vector<std::unique_ptr<Holder>> holders;
    for (int i = 0; i < kProcesses; ++i) {
      holders.push_back(std::make_unique<Holder>(i));
    }
    for (size_t i = 0; i < bench_repeats(60); ++i) {
      const uint64_t start = bench_ticks();
      const std::string text = output_of(program);
      samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e6);
      for (const auto& holder : holders) {
        require(text.find(std::to_string(holder->pid())) != std::string::npos,
                "canopy smi does not show every process");
      }
    }
  }
  report("smi_ms", samples);
}

}  // namespace canopy::bench
