#include "launcher/cli/new_file.h"

#include "runtime/base/random_id.h"
#include "runtime/base/unique_fd.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace canopy::cli {
namespace {

// errno, 0: all is written.
int write_all(const UniqueFd& fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd.get(), text.data(), text.size());
    if (put < 0 && errno != EINTR) {
      return errno;
    }
    text.remove_prefix(put < 0 ? 0 : static_cast<size_t>(put));
  }
  return 0;
}

int write_new(const std::string& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  return fd ? write_all(fd, text) : errno;
}

}  // namespace

Result<> replace_file(const std::string& folder, const std::string& name, std::string_view text) {
  const std::string path = folder + "/" + name;
  const std::string fresh = fmt::format("{}/.{}.{:016x}", folder, name, random_id());
  int err = write_new(fresh, text);
  if (err == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) {
    err = errno;
  }
  if (err != 0) {
    ::unlink(fresh.c_str());
    return fail_errno(Errc::io, err, "{} cannot be written", path);
  }
  return {};
}

}  // namespace canopy::cli
