#include "launcher/cli/output.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace canopy::cli {
namespace {
int g_failed = 0;  // errno of the first write that failed; a process has one stdout

void remember_failure(bool written) {
  if (!written && g_failed == 0) {
    g_failed = errno != 0 ? errno : EIO;
  }
}
}  // namespace

void write_output(std::string_view text) {
  if (g_failed == 0) {
    errno = 0;
    remember_failure(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
  }
}

Result<> flush_output() {
  if (g_failed == 0) {
    errno = 0;
    remember_failure(std::fflush(stdout) == 0);
  }
  if (g_failed != 0) {
    return fail_errno(Errc::io, g_failed, "the output cannot be written");
  }
  return {};
}

void write_error(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      // The lowest free descriptor, so this one; and in the direction that nobody uses.
      ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
}

}  // namespace canopy::cli
