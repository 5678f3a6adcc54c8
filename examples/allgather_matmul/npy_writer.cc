#include "examples/allgather_matmul/npy_writer.h"

#include "examples/allgather_matmul/npy_header.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace agmm {

Fallible<NpyWriter> NpyWriter::create(const std::string& path, uint64_t rows, uint64_t cols) {
  NpyWriter writer(path);
  if (auto opened = writer.open(); !opened) {
    return tl::unexpected(opened.error());
  }
  const std::string header = make_npy_header(rows, cols);
  if (auto written = writer.write_all(header.data(), header.size()); !written) {
    return tl::unexpected(written.error());
  }
  return writer;
}

Fallible<void> NpyWriter::problem(int error) const {
  return failure("{}: cannot be written: {}", path_, std::strerror(error));
}

Fallible<void> NpyWriter::open() {
  struct stat status = {};
  const bool exists = stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    return problem(EISDIR);
  }
  if (exists && !S_ISREG(status.st_mode)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    return fd_ < 0 ? problem(errno) : Fallible<void>();
  }
  std::error_code no_link;
  const auto link = std::filesystem::read_symlink(path_, no_link);
  if (!no_link && !exists) {
    return failure("{}: cannot be written: it is a link to {}, which does not exist", path_,
                   link.string());
  }
  std::error_code unresolved;
  const auto target = exists ? std::filesystem::canonical(path_, unresolved)
                             : std::filesystem::absolute(path_, unresolved);
  if (unresolved) {
    return problem(unresolved.value());
  }
  target_ = target.string();
  fd_ = ::open(target.parent_path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd_ < 0) {  // not every file system has files without a name
    temporary_ = fmt::format("{}.{}.part", target_, getpid());
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  return fd_ < 0 ? problem(errno) : Fallible<void>();
}

NpyWriter::NpyWriter(NpyWriter&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

NpyWriter::~NpyWriter() {
  if (fd_ >= 0) {
    close(fd_);
  }
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
}

Fallible<void> NpyWriter::append(std::span<const float> elements) {
  return write_all(elements.data(), elements.size_bytes());
}

// A file without a name can be given one only where there is none yet, so it takes two steps.
Fallible<void> NpyWriter::give_name() {
  if (temporary_.empty()) {
    const std::string name = fmt::format("{}.{}.part", target_, getpid());
    const std::string self = fmt::format("/proc/self/fd/{}", fd_);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return problem(errno);
    }
    temporary_ = name;
  }
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) {
    return problem(errno);
  }
  temporary_.clear();
  return {};
}

Fallible<void> NpyWriter::finish() {
  if (!target_.empty()) {
    if (fdatasync(fd_) != 0) {  // where many file systems tell that their space ran out
      return problem(errno);
    }
    if (auto named = give_name(); !named) {
      return named;
    }
  }
  return close(std::exchange(fd_, -1)) == 0 ? Fallible<void>() : problem(errno);
}

Fallible<void> NpyWriter::write_all(const void* data, size_t nbytes) {
  const char* at = static_cast<const char*>(data);
  while (nbytes > 0) {
    const ssize_t written = ::write(fd_, at, nbytes);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return failure("{}: writing failed: {}", path_, std::strerror(errno));
    }
    at += written;
    nbytes -= static_cast<size_t>(written);
  }
  return {};
}

}  // namespace agmm
