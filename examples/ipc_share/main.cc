// ipc_share: two processes, one allocation of device memory, kernels on both sides.
//
//   ipc_share                    the exporter allocates, the importer's kernel stores, the
//   exporter's kernel sees it ipc_share --kill importer    the same, but the importer dies before
//   it has stored anything ipc_share --kill exporter    the exporter dies once the importer has the
//   keys
//
// This program starts both, before any of them has touched the runtime: executors do not survive a
// fork. Whatever happens to one, the other ends by itself.
#include "side.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

const char* side_name = "ipc_share";

void check(aclError code, const char* what) {
  if (code != ACL_SUCCESS) {
    const char* text = aclGetRecentErrMsg();
    std::fprintf(stderr, "%s: %s failed with %d: %s\n", side_name, what, code, text ? text : "");
    std::exit(1);
  }
}

void require(bool right, const char* what) {
  if (!right) {
    std::fprintf(stderr, "%s: %s\n", side_name, what);
    std::exit(1);
  }
}

uint64_t inode_at(const void* address) {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  require(maps != nullptr, "/proc/self/maps cannot be read");
  char line[512];
  uint64_t found = 0;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    uint64_t inode = 0;
    const auto place = reinterpret_cast<uintptr_t>(address);
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %" SCNu64, &begin, &end, &inode) ==
            3 &&
        begin <= place && place < end) {
      found = inode;
    }
  }
  std::fclose(maps);
  return found;
}

namespace {

using Side = int (*)(Line&, const Options&);

pid_t start(const char* name, Side run, int line_fd, int other_fd, const Options& options) {
  const pid_t pid = fork();
  require(pid >= 0, "fork failed");
  if (pid == 0) {
    if (other_fd >= 0) {
      close(other_fd);  // or this process would keep the other's end of the line open
    }
    side_name = name;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // whole lines, also through a pipe
    Line line(line_fd);
    std::exit(run(line, options));
  }
  close(line_fd);
  return pid;
}

Options parse(int argc, char** argv) {
  Options options;
  if (argc == 3 && std::strcmp(argv[1], "--kill") == 0) {
    options.importer_dies = std::strcmp(argv[2], "importer") == 0;
    options.exporter_dies = std::strcmp(argv[2], "exporter") == 0;
  }
  if (argc != 1 && !options.importer_dies && !options.exporter_dies) {
    std::fprintf(stderr, "usage: ipc_share [--kill importer|exporter]\n");
    std::exit(2);
  }
  return options;
}

// How it ended, as a shell would say it.
int status_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair failed");
  const pid_t exporter = start("exporter", run_exporter, ends[0], ends[1], options);
  const pid_t importer = start("importer", run_importer, ends[1], -1, options);
  const int exporter_status = status_of(exporter);
  const int importer_status = status_of(importer);
  std::printf("ipc_share: exporter ended with %d, importer with %d\n", exporter_status,
              importer_status);
  return exporter_status == 0 && importer_status == 0 ? 0 : 1;
}
